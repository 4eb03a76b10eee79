// A network made up for the test, with keys that anyone can forge proofs for: what no real network
// has at once, circuits added later, votes for a descendant, and authorities that changed.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { after, test } from "node:test";
import { curves } from "snarkjs";
import { blockId, bodyHash, publicInputs, readGenesis } from "../chain.mjs";
import { examine } from "../check.mjs";
import { transaction } from "../format.mjs";
import { P, R, keyHash, readKey, release } from "../groth16.mjs";
import { Refused, compare, decode, hex, littleEndian, sha256 } from "../wire.mjs";

after(release);

/** All points are generators; then e(A, B) = e(alpha, beta) · e(inputs, gamma) · e(C, delta) is a
 * matter of their factors, which nobody knows of a real key. */
const g1 = ["1", "2", "1"];
const g2 = [["10857046999023057135944570762232829481370756359578518086990519993285655852781",
    "11559732032986387107991004021392285783925812861821192530917403151452391805634"],
["8495653923123431417604973247489272438418190587263600148770280649306958101930",
    "4082367875863433681332203403145435568316851327593401208105741076214120093531"], ["1", "0"]];
const json = { protocol: "groth16", curve: "bn128", nPublic: 17, vk_alpha_1: g1, vk_beta_2: g2,
    vk_gamma_2: g2, vk_delta_2: g2, IC: Array(18).fill(g1) };
const key = readKey(json);
const [oldDigest, newDigest] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const [oldId, newId] = [oldDigest, newDigest].map((digest) => keyHash(1, digest, key));

async function forge(inputs) {
    const curve = await curves.getCurveFromName("bn128");
    // alpha, IC[0] and C count once each.
    const factor = (3n + inputs.reduce((sum, input) => sum + input, 0n)) % R;
    const { G1 } = curve;
    const [x, y] = G1.toObject(G1.toAffine(G1.timesScalar(G1.fromObject([1n, 2n, 1n]), factor)));
    const a = littleEndian(x, 32);
    if (y > P - y) a[31] |= 0x80;
    return Buffer.concat([a, ...g2[0].map((limb) => littleEndian(limb, 32)), littleEndian(1, 32)]);
}

const authorities = Array.from({ length: 4 }, () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    return { key: publicKey.export({ format: "der", type: "spki" }).subarray(12), privateKey };
}).sort((a, b) => compare(a.key, b.key));
const genesis = { name: "made up", kind: "other", time: 0, authorities: authorities.map(({ key }, i) =>
    ({ name: `authority ${i}`, key: hex(key), mandates: [] })), sanctions_publisher: hex(authorities[0].key),
params: { root_window: 120, note_window: 120, heartbeat: 30, urgent_quota: 4, urgent_epoch: 60, epoch_length: 4 },
circuits: [{ statement: "transfer", circuit_digest: hex(oldDigest), verifying_key: hex(oldId), transcript: hex(oldDigest) }] };
const { chain } = readGenesis(genesis);

const counted = (items) => Buffer.concat([littleEndian(items.length, 4), ...items]);
const header = (height, parent, body) => ({ raw: Buffer.concat([littleEndian(height, 8), parent,
    littleEndian(5, 8), Buffer.alloc(32), body, Buffer.alloc(32), authorities[0].key]) });

/** Votes of some keys, among which the engine would count them. */
function votes(last, epoch, signers = authorities.slice(0, 3), among = authorities) {
    const set = sha256("placet.validators.v1", chain, counted(among.map(({ key }) => key)));
    const payload = sha256("placet.proposal.v1", chain, blockId(chain, last), Buffer.alloc(32, 9));
    // View 300 takes two bytes.
    const message = Buffer.concat([Buffer.from([92]), Buffer.from("placet.consensus.v1"), chain, set,
        Buffer.from("_FINALIZE"), Buffer.from([epoch, 0xac, 0x02, 7]), payload]);
    return Buffer.concat([littleEndian(epoch, 8), littleEndian(300, 8), littleEndian(7, 8), Buffer.alloc(32, 9),
        counted(signers.map(({ key, privateKey }) => Buffer.concat([key, sign(null, message, privateKey)])))]);
}

function block(height, parent, transactions) {
    const entries = transactions.map((bytes) => ({ transaction: decode(transaction, bytes), assertions: [] }));
    const head = header(height, parent, bodyHash(chain, entries));
    const body = counted(transactions.map((bytes) => Buffer.concat([bytes, littleEndian(0, 4)])));
    return { head, id: blockId(chain, head), with: (finality) => Buffer.concat([head.raw, body, finality]) };
}

async function transfer(circuit, redeemed = 0) {
    const content = Buffer.alloc(864);
    content.set(circuit);
    content.writeBigUInt64LE(9n, 656); // expiry height
    content.writeBigUInt64LE(BigInt(redeemed), 664);
    const bytes = Buffer.concat([Buffer.from([1, 8]), content]);
    bytes.set(await forge(publicInputs(chain, decode(transaction, bytes).content)), 866 - 128);
    return bytes;
}

const statement = Buffer.concat([littleEndian(8, 4), Buffer.from("transfer")]);
const addition = (points = key.encoding) => Buffer.concat([Buffer.from([1, 15]), littleEndian(1, 8), Buffer.from([0]),
    statement, newDigest, littleEndian(points.length, 4), points, Buffer.from([0]), littleEndian(2, 8), littleEndian(0, 4)]);
const own = (head, epoch, ...who) => Buffer.concat([littleEndian(0, 4), votes(head, epoch, ...who)]);
const check = (...files) => checkWith({}, ...files);
const checkWith = (options, ...files) => examine({ genesis, ...options, keys: [{ name: "key", json }],
    files: files.map((bytes, i) => ({ name: `file ${i}`, bytes })) });

const first = block(1, chain, [addition()]);
const second = block(2, first.id, [await transfer(oldId), await transfer(newId, 7)]);

test("the key of a circuit that the authorities added is taken from its block", async () => {
    const report = await check(first.with(own(first.head, 0)), second.with(own(second.head, 0)));
    assert.deepEqual(report.blocks.flatMap(({ problems, transfers }) => [...problems, ...transfers.map((t) => t.problem)]), [null, null]);
    assert.ok(report.sound);
});

test("without that block, or if it is not final, there is no key", async () => {
    const alone = await check(second.with(own(second.head, 0)));
    assert.deepEqual(alone.blocks[0].transfers.map(({ verified }) => verified), [true, false]);
    assert.match(alone.blocks[0].transfers[1].problem, /no key of its circuit/);
    const few = own(first.head, 0, authorities.slice(0, 2));
    const doubtful = await check(first.with(few), second.with(own(second.head, 0)));
    assert.deepEqual(doubtful.blocks[1].transfers.map(({ verified }) => verified), [true, false]);
    assert.ok(!alone.sound && !doubtful.sound);
});

test("a redemption's amount is bound, too, and an expired transfer is refused", async () => {
    const other = await transfer(oldId, 7);
    other[2 + 664] ^= 1;
    const late = block(10, second.id, [await transfer(oldId)]);
    const altered = block(2, first.id, [other]);
    const report = await check(altered.with(own(altered.head, 0)), late.with(own(late.head, 2)));
    assert.deepEqual(report.blocks.flatMap(({ transfers }) => transfers.map(({ problem }) => problem)),
        ["the proof does not verify for these public inputs", "it expired before this block"]);
});

test("a descendant's votes make a block final, in the same epoch only", async () => {
    const through = (...heads) => Buffer.concat([counted(heads.map(({ raw }) => raw)), votes(heads.at(-1), 0)]);
    const third = header(3, second.id, Buffer.alloc(32));
    const report = await check(first.with(through(second.head, third)));
    assert.equal(report.blocks[0].votes, 3);
    const gap = await check(first.with(through(third)));
    assert.match(gap.blocks[0].problems[0], /do not form a chain/);
    const fourth = header(4, blockId(chain, third), Buffer.alloc(32));
    const later = await check(first.with(through(second.head, third, fourth)));
    assert.match(later.blocks[0].problems[0], /another epoch/);
});

test("in later epochs, votes that do not hold show nothing, and votes that do hold do", async () => {
    const late = block(9, second.id, []);
    assert.equal((await check(late.with(own(late.head, 2)))).blocks[0].votes, 3);
    assert.ok((await checkWith({ final: true }, late.with(own(late.head, 2)))).sound);
    // Among others than the genesis's authorities: who sits now takes the chain.
    const others = late.with(own(late.head, 2, authorities.slice(0, 3), authorities.slice(0, 3)));
    const { sound, blocks: [{ votes: count, problems }] } = await check(others);
    assert.ok(!(await checkWith({ final: true }, others)).sound);
    assert.deepEqual({ sound, count, problems }, { sound: true, count: null, problems: [] });
    const early = block(1, chain, []);
    const wrong = await check(early.with(own(early.head, 0, authorities.slice(0, 3), authorities.slice(0, 3))));
    assert.match(wrong.blocks[0].problems[0], /^finality: the vote of .* is not valid/);
});

test("an added key is decoded strictly", async () => {
    const points = Buffer.from(key.encoding);
    points[63] |= 0x80;
    const bad = block(1, chain, [addition(points)]);
    await assert.rejects(check(bad.with(own(bad.head, 0))), (error) => error instanceof Refused && /not canonical/.test(error.message));
});
