// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Verifies Groth16 proofs of Placet's statement `transfer` over BN254.
///
/// @notice Written by `placet evm verifier` for one verifying key; the constants below are that
/// key. Circuit digest 1f711f42bccdf619cf1cdd137affc68a0c4dbf5ba31e7479dd51f8c56597db36.
/// A DEVELOPMENT KEY: one machine made it and could forge proofs. Do not deploy
/// this where anything has a value.
///
/// @dev A proof (A, B, C) for the inputs x_1, ..., x_n holds if
///
///   e(A, B) * e(alpha, -beta) * e(X, -gamma) * e(C, -delta) = 1,  X = IC_0 + sum of x_i * IC_i
///
/// The precompiled contracts of EIP-196 and EIP-197 refuse coordinates at or above the modulus,
/// points that are not on their curve and, in G2, points outside of the subgroup.
contract PlacetVerifier {
    /// Placet's name of statement, circuit and verifying key: the hash of the key.
    bytes32 public constant CIRCUIT =
        0x2016023466b511b67485d1dba17df84160decfff377a32321dff022fd944f2e5;

    /// Order of the groups. An input at or above it would be a second form of another one.
    uint256 private constant R =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;

    // Points in G2 are written with the imaginary part first, as the precompiled contract reads them.
    uint256 private constant ALPHA_X =
        4017713650461151504289322382986913176755728955066318066927232138114087212390;
    uint256 private constant ALPHA_Y =
        5285824660044452394229184691800701011795959228905214621905314940932491205790;
    uint256 private constant NEG_BETA_X_IM =
        9083281031831882373490817307224076110632061359557612217756935849012498512732;
    uint256 private constant NEG_BETA_X_RE =
        2097617968248252515274486768419489571550860998843946631521534049273467132736;
    uint256 private constant NEG_BETA_Y_IM =
        7467556706071445766304969057469850379909426172655912404719074460422979203513;
    uint256 private constant NEG_BETA_Y_RE =
        3433278687154256628867892093550131857366755222669094336498395600209486269868;
    uint256 private constant NEG_GAMMA_X_IM =
        14497707534649780823812295060746986650118756012488579272292249098800158569451;
    uint256 private constant NEG_GAMMA_X_RE =
        21034111331678348511570771344443060629424047360379372720887731090198599124354;
    uint256 private constant NEG_GAMMA_Y_IM =
        3157246916913165115250481832104804372163846741623278091330705316455676577712;
    uint256 private constant NEG_GAMMA_Y_RE =
        3202202703448641506979756957014903302338782367829847095749499476162413109312;
    uint256 private constant NEG_DELTA_X_IM =
        12511991480890072787079926780468094310667289578044025578095961362898479388240;
    uint256 private constant NEG_DELTA_X_RE =
        477148421282871889639816207502800990331232893656385448973010431939322615803;
    uint256 private constant NEG_DELTA_Y_IM =
        11360612579189221686285909793736879160269936250439014277610341818527847599533;
    uint256 private constant NEG_DELTA_Y_RE =
        9288568590977038348590419344789078494068841834594436965959939863285803238053;
    uint256 private constant IC0_X =
        19164787737948204583274314377386131601490096389699186141156478364369203778825;
    uint256 private constant IC0_Y =
        3823014623697509108725249953991832685932462062450755405108413481813506362404;
    uint256 private constant IC1_X =
        3098129118693507161986910142886962488848026198622331017459639383765112280667;
    uint256 private constant IC1_Y =
        8872989109229540660605072441711071608898845711657049671550187393666676150115;
    uint256 private constant IC2_X =
        11184544782205081545738370807113309649246068291034848890848073418153505526516;
    uint256 private constant IC2_Y =
        19800993596415116929266422867623668284433260892578585500135374952897901936300;
    uint256 private constant IC3_X =
        14858458521446780734609755848198031081138516523364466348994492866682749575696;
    uint256 private constant IC3_Y =
        12612493268436049601990693506980260636898170240300516515959109147036422478060;
    uint256 private constant IC4_X =
        4169121825100116978510032009713832138657079080856808459867530902015749539714;
    uint256 private constant IC4_Y =
        6191205529532727919464144128332139442318152910780734066654300854167945359722;
    uint256 private constant IC5_X =
        12663445156282497170862014253868152093250659072522947794193894390558453147162;
    uint256 private constant IC5_Y =
        4096712996348501175094495355941359278052670996764522566930389436293605110509;
    uint256 private constant IC6_X =
        18339981372955180755141115886682599234809810491032775259911478194575851147080;
    uint256 private constant IC6_Y =
        13004285705449755729185594693564088373263754842858409807136479848622429242033;
    uint256 private constant IC7_X =
        13595277203482203810168973036192709500954456681873599191908012139301251438186;
    uint256 private constant IC7_Y =
        17554481309463451650334120153544850777248748429835156550846864633037691906189;
    uint256 private constant IC8_X =
        57114762561928335854103103364306173705158349387550972637336403298129498322;
    uint256 private constant IC8_Y =
        13267342316832685941886642657640004828511382069378639344323109272342687128567;
    uint256 private constant IC9_X =
        14747732100789443733489329109509760774930117231201396937612684347483234320888;
    uint256 private constant IC9_Y =
        19106919539141322849679662937896479905466509405066545466256704049126110329777;
    uint256 private constant IC10_X =
        2926703812863922807783814635652682811915288504558267649525111564920275856623;
    uint256 private constant IC10_Y =
        17111869635737583356658825719947675694796144874006636936833733902470613725060;
    uint256 private constant IC11_X =
        19757039930175465008131978937895745558279022240103240845868198239333651169771;
    uint256 private constant IC11_Y =
        14899130332572517309916183433941836330792695366647626739472042959236053168838;
    uint256 private constant IC12_X =
        15904937989677406868778786142776209477904603430335430553459041856304381165712;
    uint256 private constant IC12_Y =
        13961342247035417107531844748902845339460509749115016614377341601999294136486;
    uint256 private constant IC13_X =
        1745890252082187507753651896964377123517500332677994350321017848213816765624;
    uint256 private constant IC13_Y =
        9098720871997765069973216718117795742213228180128578446471704733276171215956;
    uint256 private constant IC14_X =
        14227903201440708110413100784330658198974971756541400103206651497585896785509;
    uint256 private constant IC14_Y =
        6051854675560411071745017843958939870727762947247055456903643954145103341981;
    uint256 private constant IC15_X =
        9762189780979991079254567828438899076058907403278379472248559838059480686730;
    uint256 private constant IC15_Y =
        13943020423676569939330627535926905078747014888071528397125170280286546456379;
    uint256 private constant IC16_X =
        17021729298340245866826906788464788772822061840869913768223598982518246787259;
    uint256 private constant IC16_Y =
        7659323336097490450428348777197963483098430259164059766268125807813846635575;
    uint256 private constant IC17_X =
        13009301410710035054129202892676632332562980869654393312688200987677181006914;
    uint256 private constant IC17_Y =
        7442667703718532235866381332668599696942898361200879354632606033372439531043;
    /// The call is longer than its arguments.
    error CalldataLength();

    /// @notice Whether the proof proves the statement for these inputs. Anything malformed in them
    /// is `false`; a call of another length reverts.
    /// @param proof A (x, y), B (x imaginary, x real, y imaginary, y real), C (x, y)
    /// @param inputs the public inputs in the order of the specification
    function verify(uint256[8] calldata proof, uint256[17] calldata inputs)
        external
        view
        returns (bool)
    {
        // Shorter calls the compiler's own decoding refuses.
        if (msg.data.length != 4 + 32 * (8 + 17)) revert CalldataLength();
        for (uint256 i = 0; i < 17; i++) {
            if (inputs[i] >= R) return false;
        }
        // The precompiled contracts take zeros for the point at infinity, with which a pairing
        // vanishes from the equation. No honest proof has one.
        if ((proof[0] | proof[1]) == 0) return false;
        if ((proof[2] | proof[3] | proof[4] | proof[5]) == 0) return false;
        if ((proof[6] | proof[7]) == 0) return false;

        // io[0..1] is the sum so far.
        uint256[5] memory io;
        io[0] = IC0_X;
        io[1] = IC0_Y;
        if (!_addProduct(io, IC1_X, IC1_Y, inputs[0])) return false;
        if (!_addProduct(io, IC2_X, IC2_Y, inputs[1])) return false;
        if (!_addProduct(io, IC3_X, IC3_Y, inputs[2])) return false;
        if (!_addProduct(io, IC4_X, IC4_Y, inputs[3])) return false;
        if (!_addProduct(io, IC5_X, IC5_Y, inputs[4])) return false;
        if (!_addProduct(io, IC6_X, IC6_Y, inputs[5])) return false;
        if (!_addProduct(io, IC7_X, IC7_Y, inputs[6])) return false;
        if (!_addProduct(io, IC8_X, IC8_Y, inputs[7])) return false;
        if (!_addProduct(io, IC9_X, IC9_Y, inputs[8])) return false;
        if (!_addProduct(io, IC10_X, IC10_Y, inputs[9])) return false;
        if (!_addProduct(io, IC11_X, IC11_Y, inputs[10])) return false;
        if (!_addProduct(io, IC12_X, IC12_Y, inputs[11])) return false;
        if (!_addProduct(io, IC13_X, IC13_Y, inputs[12])) return false;
        if (!_addProduct(io, IC14_X, IC14_Y, inputs[13])) return false;
        if (!_addProduct(io, IC15_X, IC15_Y, inputs[14])) return false;
        if (!_addProduct(io, IC16_X, IC16_Y, inputs[15])) return false;
        if (!_addProduct(io, IC17_X, IC17_Y, inputs[16])) return false;
        uint256[24] memory pairs;
        for (uint256 i = 0; i < 6; i++) {
            pairs[i] = proof[i];
        }
        pairs[6] = ALPHA_X;
        pairs[7] = ALPHA_Y;
        pairs[8] = NEG_BETA_X_IM;
        pairs[9] = NEG_BETA_X_RE;
        pairs[10] = NEG_BETA_Y_IM;
        pairs[11] = NEG_BETA_Y_RE;
        pairs[12] = io[0];
        pairs[13] = io[1];
        pairs[14] = NEG_GAMMA_X_IM;
        pairs[15] = NEG_GAMMA_X_RE;
        pairs[16] = NEG_GAMMA_Y_IM;
        pairs[17] = NEG_GAMMA_Y_RE;
        pairs[18] = proof[6];
        pairs[19] = proof[7];
        pairs[20] = NEG_DELTA_X_IM;
        pairs[21] = NEG_DELTA_X_RE;
        pairs[22] = NEG_DELTA_Y_IM;
        pairs[23] = NEG_DELTA_Y_RE;
        return _productIsOne(pairs);
    }

    /// io[0..1] += scalar * (x, y). False if a precompiled contract fails, or is not there: a call
    /// of an address without code succeeds and returns nothing.
    function _addProduct(uint256[5] memory io, uint256 x, uint256 y, uint256 scalar)
        private
        view
        returns (bool done)
    {
        io[2] = x;
        io[3] = y;
        io[4] = scalar;
        assembly ("memory-safe") {
            // io[2..3] := scalar * (x, y), by ECMUL
            let called := staticcall(gas(), 0x07, add(io, 0x40), 0x60, add(io, 0x40), 0x40)
            done := and(called, eq(returndatasize(), 0x40))
            // io[0..1] := io[0..1] + io[2..3], by ECADD
            called := staticcall(gas(), 0x06, io, 0x80, io, 0x40)
            done := and(done, and(called, eq(returndatasize(), 0x40)))
        }
    }

    /// Whether the product of the four pairings is one. False if the precompiled contract fails, or
    /// is not there.
    function _productIsOne(uint256[24] memory pairs) private view returns (bool) {
        uint256[1] memory answer;
        bool called;
        assembly ("memory-safe") {
            called := staticcall(gas(), 0x08, pairs, 0x300, answer, 0x20)
            called := and(called, eq(returndatasize(), 0x20))
        }
        return called && answer[0] == 1;
    }
}
