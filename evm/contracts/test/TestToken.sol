// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ICompliance} from "../ICompliance.sol";

/// A receiver that is told about what it gets, as some tokens do.
interface IReceiver {
    function received(address from, uint256 amount) external;
}

/// For tests: a token that asks its compliance contract as the token of ERC-3643 does. Identity
/// registry, freezes and pauses are left out. With `hooks` it calls the receiver before it tells
/// the compliance contract, which a careful token does not do.
contract TestToken {
    address public immutable OWNER;
    ICompliance public compliance;
    bool public hooks;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    error NotTheOwner();
    error NotCompliant();

    modifier onlyOwner() {
        if (msg.sender != OWNER) revert NotTheOwner();
        _;
    }

    constructor() {
        OWNER = msg.sender;
    }

    function setCompliance(ICompliance next) external onlyOwner {
        if (address(compliance) != address(0)) compliance.unbindToken(address(this));
        compliance = next;
        if (address(next) != address(0)) next.bindToken(address(this));
    }

    function setHooks(bool on) external onlyOwner {
        hooks = on;
    }

    function mint(address to, uint256 amount) external onlyOwner {
        if (!compliance.canTransfer(address(0), to, amount)) revert NotCompliant();
        balanceOf[to] += amount;
        compliance.created(to, amount);
    }

    function burn(address from, uint256 amount) external onlyOwner {
        balanceOf[from] -= amount;
        compliance.destroyed(from, amount);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _transfer(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        _transfer(from, to, amount);
        return true;
    }

    /// Does not ask, as in ERC-3643, but tells.
    function forcedTransfer(address from, address to, uint256 amount) external onlyOwner {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        compliance.transferred(from, to, amount);
    }

    function _transfer(address from, address to, uint256 amount) private {
        if (!compliance.canTransfer(from, to, amount)) revert NotCompliant();
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        if (hooks) IReceiver(to).received(from, amount);
        compliance.transferred(from, to, amount);
    }
}

/// For tests: a receiver that has the same transfer done again while the first is under way.
contract ReenteringReceiver {
    bool private entered;

    function received(address from, uint256 amount) external {
        if (!entered) {
            entered = true;
            TestToken(msg.sender).transferFrom(from, address(this), amount);
        }
    }
}
