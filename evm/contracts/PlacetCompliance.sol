// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ICompliance} from "./ICompliance.sol";

/// A verifier of one circuit, made by `placet evm verifier`.
interface IPlacetVerifier {
    /// Placet's name of statement, circuit and verifying key.
    function CIRCUIT() external view returns (bytes32);

    /// Whether the proof proves the statement for these public inputs.
    function verify(uint256[8] calldata proof, uint256[17] calldata inputs)
        external
        view
        returns (bool);
}

/// @title Answers an ERC-3643 token's question "is this transfer compliant?" from a Placet proof.
///
/// @notice A yes says: somebody whose identity credential is in Placet's registry, unexpired, of an
/// attestor that the asset's policy trusts, not on the sanctions list and of an acceptable risk
/// class, consented to exactly this token transfer; all of it by roots that more than two thirds of
/// the signers vouched for, and not longer than WINDOW seconds ago. Each such consent serves once.
///
/// @notice A yes does NOT say: that `from` or `to` is that person (a proof names no address, so
/// addresses remain the business of the token's identity registry); that the person is the sender
/// or the receiver (which of the two a proof is about is hidden in it); that the position shown is
/// still unspent on Placet's ledger, or that anything there moves (the amounts in the proof are
/// hidden and are not the token's amount). The nullifiers serve here as tickets that are used once.
///
/// @dev One adapter serves one token, one Placet network, one asset and one circuit, for ever.
/// There is no owner: only the signers' quorum changes the signers, and only the token binds
/// itself. Docs: docs/guides/evm.md; messages: docs/spec.md section 12.7.
contract PlacetCompliance is ICompliance {
    /// What the authorities say about one final block of Placet's ledger.
    struct Roots {
        /// Height of the block.
        uint64 height;
        /// Time of the block, seconds since 1970.
        uint64 time;
        /// Roots of blocks below this height are acceptable no more: raised by urgent revocations.
        uint64 oldest;
        uint256 noteRoot;
        uint256 registryRoot;
        uint256 sanctionsRoot;
        /// Hash of the asset's policy in force.
        uint256 policy;
    }

    /// A signature on secp256k1: v is 27 or 28, s in the lower half.
    struct Signature {
        bytes32 r;
        bytes32 s;
        uint8 v;
    }

    /// When roots were in force, by the last message about them.
    struct Posted {
        uint64 height;
        uint64 time;
    }

    /// One transfer that may be done once.
    struct Permission {
        /// The last second at which it is good; 0 where there is none.
        uint64 deadline;
        /// Height of the roots it rests on.
        uint64 height;
    }

    /// Positions of the public inputs, section 7.1 of the specification.
    uint256 private constant POSITION_ROOT = 0;
    uint256 private constant DELIVERY_ROOT = 1;
    uint256 private constant REGISTRY_ROOT = 2;
    uint256 private constant SANCTIONS_ROOT = 3;
    uint256 private constant POLICY = 4;
    uint256 private constant NOW = 5;
    uint256 private constant NF_POSITION = 6;
    uint256 private constant NF_DELIVERY = 7;
    uint256 private constant CM_POSITION = 8;
    uint256 private constant CM_DELIVERY = 9;
    uint256 private constant RECEIPT = 10;
    uint256 private constant HOLDERS_DELTA = 11;
    uint256 private constant REDEEMED = 12;
    uint256 private constant BINDING = 16;

    /// r - 1, which is -1: the order of BN254's groups is r.
    uint256 private constant MINUS_ONE =
        21888242871839275222246405745257275088548364400416034343698204186575808495616;
    /// Half of the order of secp256k1, rounded down.
    uint256 private constant HALF_ORDER =
        0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    uint256 private constant LOW_248_BITS = (1 << 248) - 1;
    uint256 private constant MAX_SIGNERS = 64;
    uint64 private constant MIN_WINDOW = 60;
    uint64 private constant MAX_WINDOW = 86_400;

    bytes32 private constant DOMAIN_TYPE = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 private constant ROOTS_TYPE = keccak256(
        "Roots(bytes32 chain,uint256 asset,bytes32 circuit,uint64 height,uint64 time,uint64 oldest,uint256 noteRoot,uint256 registryRoot,uint256 sanctionsRoot,uint256 policy)"
    );
    bytes32 private constant SIGNERS_TYPE =
        keccak256("Signers(bytes32 chain,uint256 asset,uint64 number,address[] signers)");

    /// Judges the proofs.
    IPlacetVerifier public immutable VERIFIER;
    /// The only token that may ask.
    address public immutable TOKEN;
    /// Placet's name of statement, circuit and verifying key.
    bytes32 public immutable CIRCUIT;
    /// Placet's chain id.
    bytes32 public immutable CHAIN;
    /// Placet's id of the asset.
    uint256 public immutable ASSET;
    /// Seconds for which roots, and what rests on them, are good.
    uint64 public immutable WINDOW;

    /// Number of the last change of the signers.
    uint64 public signersNumber;
    /// Height of the newest roots.
    uint64 public newestHeight;
    /// Time of the newest roots.
    uint64 public newestTime;
    /// Lowest height of roots that are acceptable.
    uint64 public oldestHeight;
    bool private bound;
    address[] private signerList;
    /// By number of the change, so that a change forgets everybody before it.
    mapping(uint64 => mapping(address => bool)) private signerOf;
    /// By the hash of note root, registry root, sanctions root and policy.
    mapping(bytes32 => Posted) private postedRoots;
    /// Nullifiers of proofs that were used here.
    mapping(uint256 => bool) public used;
    /// By the hash of from, to and amount.
    mapping(bytes32 => Permission) private permissions;

    event RootsPosted(uint64 indexed height, uint64 time, uint64 oldest);
    event SignersChanged(uint64 indexed number, address[] signers);
    event Authorised(
        address indexed from, address indexed to, uint256 amount, uint64 deadline, uint256 nullifier
    );
    event PermissionUsed(address indexed from, address indexed to, uint256 amount);

    error WindowOutOfRange();
    error NoVerifier();
    error ZeroAddress();
    error NotTheToken();
    error AlreadyBound();
    error NotBound();
    error TooManySigners();
    error SignersNotAscending();
    error NotTheNextChange();
    error QuorumMissing();
    error SignatureMalformed();
    error SignaturesNotAscending();
    error NotASigner();
    error HeightNotNewer();
    error TimeBackwards();
    error TimeInTheFuture();
    error OldestAboveHeight();
    error RootsUnknown();
    error RootsTooOld();
    error NowOutsideWindow();
    error DeadlineOutsideWindow();
    error HoldersDeltaOutOfRange();
    error RedemptionRefused();
    error BindingDiffers();
    error NullifiersEqual();
    error NullifierUsed();
    error PermissionExists();
    error ProofRefused();
    error NoPermission();

    modifier onlyToken() {
        if (msg.sender != TOKEN) revert NotTheToken();
        if (!bound) revert NotBound();
        _;
    }

    /// @param verifier the contract that `placet evm verifier` made
    /// @param token the only token that may ask; it binds itself when its owner points it here
    /// @param chain Placet's chain id
    /// @param asset Placet's id of the asset
    /// @param window 60 to 86,400 seconds
    /// @param firstSigners 1 to 64 addresses, strictly ascending
    constructor(
        IPlacetVerifier verifier,
        address token,
        bytes32 chain,
        uint256 asset,
        uint64 window,
        address[] memory firstSigners
    ) {
        if (window < MIN_WINDOW || window > MAX_WINDOW) revert WindowOutOfRange();
        if (address(verifier).code.length == 0) revert NoVerifier();
        if (token == address(0)) revert ZeroAddress();
        VERIFIER = verifier;
        TOKEN = token;
        CIRCUIT = verifier.CIRCUIT();
        CHAIN = chain;
        ASSET = asset;
        WINDOW = window;
        _setSigners(0, firstSigners);
    }

    // ---- the token ----

    /// Called by the token when its owner points it to this adapter. Nobody else can bind it, so
    /// nobody can bind something else first.
    function bindToken(address token) external {
        if (msg.sender != TOKEN || token != TOKEN) revert NotTheToken();
        if (bound) revert AlreadyBound();
        bound = true;
        emit TokenBound(token);
    }

    /// Called by the token when its owner points it elsewhere.
    function unbindToken(address token) external onlyToken {
        if (token != TOKEN) revert NotTheToken();
        bound = false;
        emit TokenUnbound(token);
    }

    function isTokenBound(address token) external view returns (bool) {
        return bound && token == TOKEN;
    }

    function getTokenBound() external view returns (address) {
        return bound ? TOKEN : address(0);
    }

    /// Whether this transfer may be done now. Zero amounts and transfers to oneself need a
    /// permission like all others. ERC-3643 tokens ask with `from` zero before they mint: what the
    /// agent mints is not this contract's business, and nobody can send from the zero address.
    function canTransfer(address from, address to, uint256 amount) public view returns (bool) {
        if (!bound || to == address(0)) return false;
        return from == address(0) || _isGood(permissions[_permissionKey(from, to, amount)]);
    }

    /// Uses the permission up. Without one it reverts, and the transfer with it: so a transfer that
    /// enters again while another is under way finds nothing left, and a forced transfer needs a
    /// permission too.
    function transferred(address from, address to, uint256 amount) external onlyToken {
        bytes32 key = _permissionKey(from, to, amount);
        if (!_isGood(permissions[key])) revert NoPermission();
        delete permissions[key];
        emit PermissionUsed(from, to, amount);
    }

    /// Mints are the business of the token and its agent.
    function created(address, uint256) external onlyToken {}

    /// Burns are the business of the token and its agent.
    function destroyed(address, uint256) external onlyToken {}

    // ---- proofs ----

    /// Anybody may hand in a proof: everything that it permits is bound in it. One permission for
    /// (from, to, amount) comes of it. While it lives, only one that lasts longer takes its place,
    /// so there is nothing to count, and nobody keeps another out with one that is about to end.
    /// @param proof A, B (imaginary parts first) and C
    /// @param inputs the public inputs in the order of the specification
    /// @param deadline last second at which the permission is good
    function authorise(
        uint256[8] calldata proof,
        uint256[17] calldata inputs,
        address from,
        address to,
        uint256 amount,
        uint64 deadline
    ) external {
        if (!bound) revert NotBound();
        if (from == address(0) || to == address(0)) revert ZeroAddress();
        uint64 height = _checkRoots(inputs, deadline);
        uint256 delta = inputs[HOLDERS_DELTA];
        if (delta > 1 && delta != MINUS_ONE) revert HoldersDeltaOutOfRange();
        // Redemption needs the agent's signature, which is a matter of Placet's ledger.
        if (inputs[REDEEMED] != 0) revert RedemptionRefused();
        if (inputs[BINDING] != bindingOf(inputs, from, to, amount, deadline)) {
            revert BindingDiffers();
        }
        uint256 nfPosition = inputs[NF_POSITION];
        uint256 nfDelivery = inputs[NF_DELIVERY];
        if (nfPosition == nfDelivery) revert NullifiersEqual();
        if (used[nfPosition] || used[nfDelivery]) revert NullifierUsed();
        bytes32 key = _permissionKey(from, to, amount);
        Permission memory living = permissions[key];
        if (_isGood(living) && deadline <= living.deadline) revert PermissionExists();
        // Last, because dear. It also refuses inputs that are not canonical, so that nothing above
        // was compared in a second form. A static call: the verifier can change nothing.
        if (!VERIFIER.verify(proof, inputs)) revert ProofRefused();

        used[nfPosition] = true;
        used[nfDelivery] = true;
        permissions[key] = Permission(deadline, height);
        emit Authorised(from, to, amount, deadline, nfPosition);
    }

    /// The last public input that a proof for this token transfer must have. It names this chain,
    /// adapter and token, so a proof serves nowhere else; and it begins with a text of its own, so
    /// no transfer on Placet's ledger has it, nor the other way round.
    function bindingOf(
        uint256[17] calldata inputs,
        address from,
        address to,
        uint256 amount,
        uint64 deadline
    ) public view returns (uint256) {
        bytes memory question = abi.encodePacked(
            "placet.evm.binding.v1", block.chainid, address(this), TOKEN, from, to, amount, deadline
        );
        bytes memory answer = abi.encodePacked(
            CHAIN,
            ASSET,
            CIRCUIT,
            inputs[NF_POSITION],
            inputs[NF_DELIVERY],
            inputs[CM_POSITION],
            inputs[CM_DELIVERY],
            inputs[RECEIPT]
        );
        return uint256(sha256(bytes.concat(question, answer))) & LOW_248_BITS;
    }

    /// The permission for a transfer: its last good second, or 0 if there is none that is good.
    function permissionUntil(address from, address to, uint256 amount)
        external
        view
        returns (uint64)
    {
        Permission memory permission = permissions[_permissionKey(from, to, amount)];
        return _isGood(permission) ? permission.deadline : 0;
    }

    // ---- the signers ----

    /// The signers that sit, ascending.
    function signers() external view returns (address[] memory) {
        return signerList;
    }

    /// How many signatures it takes: more than two thirds.
    function quorum() public view returns (uint256) {
        return (2 * signerList.length) / 3 + 1;
    }

    /// Anybody may hand in what a quorum signed. Heights only rise.
    /// @param signatures by signers in strictly ascending order of their addresses
    function postRoots(Roots calldata roots, Signature[] calldata signatures) external {
        if (roots.height <= newestHeight) revert HeightNotNewer();
        if (roots.time < newestTime) revert TimeBackwards();
        if (roots.time > block.timestamp) revert TimeInTheFuture();
        if (roots.oldest > roots.height) revert OldestAboveHeight();
        _checkQuorum(rootsDigest(roots), signatures);
        newestHeight = roots.height;
        newestTime = roots.time;
        // Never lowered: what was shut stays shut.
        if (roots.oldest > oldestHeight) oldestHeight = roots.oldest;
        bytes32 key = _rootsKey(
            roots.noteRoot, roots.registryRoot, roots.sanctionsRoot, roots.policy
        );
        postedRoots[key] = Posted(roots.height, roots.time);
        emit RootsPosted(roots.height, roots.time, oldestHeight);
    }

    /// Replaces the signers. Changes are numbered, so that each is executed once and in order.
    function changeSigners(
        uint64 number,
        address[] calldata newSigners,
        Signature[] calldata signatures
    ) external {
        if (number != signersNumber + 1) revert NotTheNextChange();
        _checkQuorum(signersDigest(number, newSigners), signatures);
        _setSigners(number, newSigners);
    }

    /// What is signed for `postRoots` (EIP-712).
    function rootsDigest(Roots calldata roots) public view returns (bytes32) {
        return _digest(
            keccak256(
                abi.encode(
                    ROOTS_TYPE,
                    CHAIN,
                    ASSET,
                    CIRCUIT,
                    roots.height,
                    roots.time,
                    roots.oldest,
                    roots.noteRoot,
                    roots.registryRoot,
                    roots.sanctionsRoot,
                    roots.policy
                )
            )
        );
    }

    /// What is signed for `changeSigners` (EIP-712).
    function signersDigest(uint64 number, address[] calldata newSigners)
        public
        view
        returns (bytes32)
    {
        bytes32 list = keccak256(abi.encodePacked(newSigners));
        return _digest(keccak256(abi.encode(SIGNERS_TYPE, CHAIN, ASSET, number, list)));
    }

    // ---- inside ----

    /// The roots are posted and fresh, the proof's time belongs to them, and nothing that rests on
    /// them outlives them. With `now <= posted time <= block time`, the one comparison of block
    /// time and `now` bounds every age by WINDOW.
    function _checkRoots(uint256[17] calldata inputs, uint64 deadline)
        private
        view
        returns (uint64)
    {
        Posted memory posted = Posted(0, 0);
        // Wallets show both notes under the same root.
        if (inputs[POSITION_ROOT] == inputs[DELIVERY_ROOT]) {
            posted = postedRoots[_rootsKey(
                inputs[POSITION_ROOT],
                inputs[REGISTRY_ROOT],
                inputs[SANCTIONS_ROOT],
                inputs[POLICY]
            )];
        }
        if (posted.height == 0) revert RootsUnknown();
        if (posted.height < oldestHeight) revert RootsTooOld();
        uint256 time = inputs[NOW];
        if (time > posted.time) revert NowOutsideWindow();
        if (block.timestamp > time + WINDOW) revert NowOutsideWindow();
        if (deadline < block.timestamp || deadline > time + WINDOW) revert DeadlineOutsideWindow();
        return posted.height;
    }

    function _isGood(Permission memory permission) private view returns (bool) {
        return permission.deadline != 0 && block.timestamp <= permission.deadline
            && permission.height >= oldestHeight;
    }

    function _permissionKey(address from, address to, uint256 amount)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(from, to, amount));
    }

    function _rootsKey(uint256 note, uint256 registry, uint256 sanctions, uint256 policy)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(note, registry, sanctions, policy));
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        // Made anew each time, so that a fork of the chain has a domain of its own.
        bytes32 domain = keccak256(
            abi.encode(
                DOMAIN_TYPE,
                keccak256("Placet"),
                keccak256("1"),
                block.chainid,
                address(this)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    /// Every signature must be good, so a bundle of signatures has one meaning. Ascending addresses
    /// exclude that one signer counts twice.
    function _checkQuorum(bytes32 digest, Signature[] calldata signatures) private view {
        if (signatures.length < quorum()) revert QuorumMissing();
        address last = address(0);
        for (uint256 i = 0; i < signatures.length; i++) {
            Signature calldata signature = signatures[i];
            // The other s and another v would be further forms of one signature.
            if (uint256(signature.s) > HALF_ORDER) revert SignatureMalformed();
            if (signature.v != 27 && signature.v != 28) revert SignatureMalformed();
            address signer = ecrecover(digest, signature.v, signature.r, signature.s);
            if (signer == address(0)) revert SignatureMalformed();
            if (signer <= last) revert SignaturesNotAscending();
            if (!signerOf[signersNumber][signer]) revert NotASigner();
            last = signer;
        }
    }

    function _setSigners(uint64 number, address[] memory newSigners) private {
        if (newSigners.length == 0 || newSigners.length > MAX_SIGNERS) revert TooManySigners();
        address last = address(0);
        for (uint256 i = 0; i < newSigners.length; i++) {
            // Also refuses the zero address, which comes first or not ascending.
            if (newSigners[i] <= last) revert SignersNotAscending();
            last = newSigners[i];
            signerOf[number][last] = true;
        }
        signersNumber = number;
        signerList = newSigners;
        emit SignersChanged(number, newSigners);
    }
}
