// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// What a permissioned token of ERC-3643 asks about its transfers and tells about what was done.
interface ICompliance {
    /// The token began to ask this contract.
    event TokenBound(address token);
    /// The token asks this contract no more.
    event TokenUnbound(address token);

    function bindToken(address token) external;

    function unbindToken(address token) external;

    function isTokenBound(address token) external view returns (bool);

    function getTokenBound() external view returns (address);

    function canTransfer(address from, address to, uint256 amount) external view returns (bool);

    function transferred(address from, address to, uint256 amount) external;

    function created(address to, uint256 amount) external;

    function destroyed(address from, uint256 amount) external;
}
