// What needs no network: the encoding's building blocks, points, trees.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { readGenesis, transactionId, treeRoot } from "../chain.mjs";
import { blocksOf, transaction } from "../format.mjs";
import { P, R, decompress, groups, keyOfPoints, readKey, release, verify } from "../groth16.mjs";
import * as wire from "../wire.mjs";

const { G1, G2 } = groups;
const refused = (act, pattern) => assert.throws(act, (error) =>
    error instanceof wire.Refused && pattern.test(error.message));
const bytes = (digits) => Buffer.from(digits, "hex");
const le = (value) => wire.littleEndian(value, 32);
after(release);

test("integers are little-endian and of fixed width", () => {
    assert.equal(wire.decode(wire.u16, bytes("0102")), 0x0201);
    assert.equal(wire.decode(wire.u32, bytes("01020384")), 0x84030201);
    assert.equal(wire.decode(wire.u64, bytes("0100000000000080")), 2n ** 63n + 1n);
    assert.deepEqual(wire.littleEndian(258, 4), bytes("02010000"));
    refused(() => wire.littleEndian(256, 1), /does not fit/);
});

test("what is cut off, left over or out of bounds is refused", () => {
    refused(() => wire.decode(wire.u32, bytes("010203")), /ends too early/);
    refused(() => wire.decode(wire.u8, bytes("0102")), /1 bytes are left/);
    refused(() => wire.decode(wire.bool, bytes("02")), /unknown tag/);
    refused(() => wire.decode(wire.text(3), bytes("04000000")), /length of 4 bytes/);
    refused(() => wire.decode(wire.text(3), bytes("02000000c328")), /not UTF-8/);
    refused(() => wire.decode(wire.list(wire.u8, 2), bytes("ffffffff")), /list of 4294967295/);
    refused(() => wire.decode(wire.list(wire.u8, 9), bytes("0300000001")), /ends too early/);
    assert.equal(wire.decode(wire.optional(wire.u8), bytes("0107")), 7);
    assert.equal(wire.decode(wire.optional(wire.u8), bytes("00")), null);
});

test("lists that must ascend do so strictly", () => {
    const numbers = wire.ascending(wire.u8, 9);
    assert.deepEqual(wire.decode(numbers, bytes("03000000010203")), [1, 2, 3]);
    refused(() => wire.decode(numbers, bytes("03000000010302")), /not ascending/);
    refused(() => wire.decode(numbers, bytes("020000000303")), /not ascending/);
    // Bytes are compared from the first one on, whatever number they are.
    const keys = wire.ascending(wire.bytes(2), 9);
    assert.equal(wire.decode(keys, bytes("0200000001ff0200")).length, 2);
    refused(() => wire.decode(keys, bytes("02000000020001ff")), /not ascending/);
});

test("transactions of unknown version or kind are refused", () => {
    refused(() => wire.decode(transaction, bytes("0208")), /version 2/);
    refused(() => wire.decode(transaction, bytes("01ff")), /unknown kind 255/);
    refused(() => wire.decode(transaction, bytes("0108")), /ends too early/);
    refused(() => blocksOf(Buffer.alloc(0), Buffer.alloc(32)), /ends too early/);
    assert.deepEqual(blocksOf(Buffer.alloc(4), Buffer.alloc(32)), []);
});

test("a point is one x with one flag", () => {
    const one = decompress(G1, le(1n), "it");
    assert.deepEqual(one, { x: [1n], y: [2n] }); // the generator
    const other = le(1n);
    other[31] |= 0x80;
    assert.deepEqual(decompress(G1, other, "it"), { x: [1n], y: [P - 2n] });
    refused(() => decompress(G1, le(1n + P), "it"), /not canonical/);
    refused(() => decompress(G1, le(4n), "it"), /not on the curve/); // 4³ + 3 = 67, no square
    for (const flags of [0x40, 0xc0]) {
        const infinity = le(0n);
        infinity[31] |= flags;
        refused(() => decompress(G1, infinity, "it"), /infinity/);
    }
});

/** The generator of G2 as EIP-197 gives it. */
const GENERATOR = {
    x: [10857046999023057135944570762232829481370756359578518086990519993285655852781n,
        11559732032986387107991004021392285783925812861821192530917403151452391805634n],
    y: [8495653923123431417604973247489272438418190587263600148770280649306958101930n,
        4082367875863433681332203403145435568316851327593401208105741076214120093531n],
};

test("points of G2 have their limbs and their sign in the right order", () => {
    const encoding = Buffer.concat(GENERATOR.x.map(le));
    const negated = { x: GENERATOR.x, y: GENERATOR.y.map((limb) => P - limb) };
    assert.deepEqual(decompress(G2, encoding, "it"), GENERATOR);
    encoding[63] |= 0x80;
    assert.deepEqual(decompress(G2, encoding, "it"), negated);
});

/** A key for no inputs whose equation e(A, B) = e(alpha, beta) · e(IC[0], gamma) · e(C, delta) holds
 * for A = alpha + IC[0] + C and B = beta, all others being generators: a proof anyone can make. */
const text = (point) => [...[point.x, point.y].map((c) => (c.length === 1 ? String(c[0]) : c.map(String))),
    point.x.length === 1 ? "1" : ["1", "0"]];
const g1 = text({ x: [1n], y: [2n] });
const g2 = text(GENERATOR);
const toy = { protocol: "groth16", curve: "bn128", nPublic: 0, vk_alpha_1: g1, vk_beta_2: g2,
    vk_gamma_2: g2, vk_delta_2: g2, IC: [g1] };
/** Three times the generator of G1. */
const TRIPLE = 3353031288059533942658390886683067124040920775575537747144343083137631628272n;

test("a proof is verified, and one with B outside of the subgroup is refused", async () => {
    const y3 = 19321533766552368860946552437480515441416830039777911637913418824951667761761n;
    const a = le(TRIPLE);
    if (y3 > P - y3) a[31] |= 0x80;
    const b = Buffer.concat(GENERATOR.x.map(le));
    const key = readKey(toy);
    await verify(key, [], Buffer.concat([a, b, le(1n)]));
    const wrong = Buffer.from(a);
    wrong[31] ^= 0x80;
    await assert.rejects(verify(key, [], Buffer.concat([wrong, b, le(1n)])), /does not verify/);
    await assert.rejects(verify(key, [0n], Buffer.concat([a, b, le(1n)])), /0 public inputs/);
    // Nearly all points of the twist are outside: take the first x that has one.
    for (let x = 1n; ; x++) {
        const off = Buffer.concat([le(x), le(0n)]);
        try {
            decompress(G2, off, "it");
        } catch {
            continue;
        }
        await assert.rejects(verify(key, [], Buffer.concat([a, off, le(1n)])), /subgroup/);
        break;
    }
});

test("keys that are not of the right shape are refused", () => {
    const changed = (change) => () => readKey({ ...toy, ...change });
    assert.equal(readKey(toy).encoding.length, 64 + 3 * 128 + 64);
    assert.deepEqual(keyOfPoints(readKey(toy).encoding), readKey(toy));
    const negative = readKey({ ...toy, vk_alpha_1: ["1", String(P - 2n), "1"] }).encoding;
    assert.equal(keyOfPoints(negative).json.vk_alpha_1[1], String(P - 2n));
    negative[63] &= 0x7f; // the sign says otherwise than the coordinate
    refused(() => keyOfPoints(negative), /not canonical/);
    refused(() => keyOfPoints(negative.subarray(1)), /no verifying key/);
    refused(changed({ protocol: "plonk" }), /no verification key/);
    refused(changed({ curve: "bls12381" }), /no verification key/);
    refused(changed({ nPublic: 1 }), /do not go together/);
    refused(changed({ vk_alpha_1: ["1", "3", "1"] }), /finite point/);
    refused(changed({ vk_alpha_1: [String(1n + P), "2", "1"] }), /finite point/);
    refused(changed({ vk_alpha_1: ["0", "1", "0"] }), /finite point/);
    refused(changed({ vk_alpha_1: ["01", "2", "1"] }), /not a point/);
    refused(changed({ vk_beta_2: g1 }), /not a point/);
    refused(() => readKey(null), /no verification key/);
});

test("the tree is that of RFC 6962", () => {
    // Known answers: the test vectors of the Certificate Transparency project.
    const inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f"].map(bytes);
    const leaves = inputs.map((input) => wire.sha256(Buffer.from([0]), input));
    assert.equal(wire.hex(treeRoot([])), createHash("sha256").digest("hex"));
    assert.equal(wire.hex(treeRoot(leaves.slice(0, 1))),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    assert.equal(wire.hex(treeRoot(leaves.slice(0, 7))),
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c");
    assert.equal(wire.hex(treeRoot(leaves)),
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
});

test("a genesis has its fields and no others", () => {
    const key = "11".repeat(32);
    const genesis = { name: "n", kind: "dev", time: 5,
        authorities: [{ name: "a", key, mandates: ["risk", "identity"] }], sanctions_publisher: key,
        params: { root_window: 120, note_window: 120, heartbeat: 30, urgent_quota: 4,
            urgent_epoch: 60, epoch_length: 4 },
        circuits: [{ statement: "transfer", circuit_digest: key, verifying_key: key }] };
    const read = readGenesis(genesis);
    assert.equal(read.validators.length, 1);
    const chain = (change) => wire.hex(readGenesis({ ...genesis, ...change }).chain);
    assert.notEqual(chain({ name: "m" }), chain({}));
    assert.notEqual(chain({ kind: "other" }), chain({}));
    refused(() => chain({ more: 1 }), /a field more/);
    refused(() => chain({ name: 7 }), /no text/);
    refused(() => chain({ circuits: {} }), /no list/);
    refused(() => chain({ circuits: [null] }), /lacks the field statement/);
    refused(() => chain({ time: -1 }), /no whole number/);
    refused(() => chain({ kind: "test" }), /unknown kind/);
    refused(() => chain({ params: {} }), /lacks the field root_window/);
    refused(() => chain({ authorities: [{ name: "a", key, mandates: ["king"] }] }), /unknown mandate/);
    refused(() => chain({ sanctions_publisher: "12" }), /64 hexadecimal digits/);
});

test("an id covers everything but the proof", () => {
    const chain = Buffer.alloc(32, 1);
    const encoded = Buffer.alloc(866);
    encoded.set([1, 8]);
    const id = (alter) => {
        const altered = Buffer.from(encoded);
        alter(altered);
        return wire.hex(transactionId(chain, wire.decode(transaction, altered)));
    };
    const plain = id(() => {});
    assert.equal(id((b) => (b[865] = 1)), plain);
    assert.equal(id((b) => (b[866 - 128] = 1)), plain);
    // Version and kind aside, the last byte of the circuit, the first of the box, the amount redeemed.
    for (const at of [2, 33, 522, 522 + 136, 522 + 144]) {
        assert.notEqual(id((b) => (b[at] = 1)), plain, `byte ${at}`);
    }
    assert.ok(R < P);
});
