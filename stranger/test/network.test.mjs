// The check against blocks of a real network, and against what somebody could make of them. The
// directory that BLOCKS names holds genesis.json, verification_key.json and files N.block.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, test } from "node:test";
import { readGenesis } from "../chain.mjs";
import { examine } from "../check.mjs";
import { TRANSFER, blocksOf } from "../format.mjs";
import { release } from "../groth16.mjs";
import { Refused, littleEndian } from "../wire.mjs";

const directory = process.env.BLOCKS ?? assert.fail("BLOCKS must name a directory with blocks");
const json = (name) => JSON.parse(readFileSync(join(directory, name), "utf8"));
const genesis = json("genesis.json");
const key = json("verification_key.json");
const { chain } = readGenesis(genesis);
const heights = readdirSync(directory).filter((name) => name.endsWith(".block")).map((name) => parseInt(name, 10))
    .sort((a, b) => a - b);
const files = heights.map((height) => ({ name: `${height}.block`, bytes: readFileSync(join(directory, `${height}.block`)) }));
const transfersIn = ({ bytes }) => blocksOf(bytes, chain)[0].entries.found
    .filter(({ transaction }) => transaction.kind === TRANSFER).map(({ transaction }) => transaction.content);
/** A block with one transfer, and where in the file the transfer begins behind version and kind. */
const sample = files.find((file) => transfersIn(file).length === 1);
const [transfer] = transfersIn(sample);
const begin = sample.bytes.indexOf(transfer.raw);
const NOT_PROOF = transfer.raw.length - 128;
after(release);

const check = (change = {}) => examine({ genesis, keys: [{ name: "key", json: key }], files: [sample], ...change });
const altered = (alter, { name, bytes } = sample) => {
    const copy = Buffer.from(bytes);
    return { name, bytes: alter(copy) ?? copy };
};
/** The report on the sample with some bytes changed. */
const checkAltered = (alter) => check({ files: [altered(alter)] });
const refused = (act, pattern) => assert.rejects(act, (error) =>
    error instanceof Refused && pattern.test(error.message));

test("every proof of the network verifies, and every block follows the one before", async () => {
    const report = await check({ files });
    const problems = report.blocks.flatMap((block) => [...block.problems,
        ...block.transfers.flatMap(({ problem }) => problem ?? [])]);
    assert.deepEqual(problems, []);
    assert.ok(report.sound);
    assert.ok(report.transfers >= 2, `${report.transfers} transfers are too few to show anything`);
    assert.equal(report.verified, report.transfers);
    const kinds = new Set(files.flatMap(({ bytes }) => blocksOf(bytes, chain)[0].entries.found
        .map(({ transaction }) => transaction.kind)));
    console.log(`${report.verified} transfers in ${files.length} blocks with transactions of ` +
        `${kinds.size} kinds: ${[...kinds].sort((a, b) => a - b).join(", ")}`);
});

test("a range of blocks and an exported file say the same", async () => {
    const single = JSON.stringify(await check({ files }));
    const bodies = files.map(({ bytes }) => bytes);
    const range = Buffer.concat([littleEndian(bodies.length, 4), ...bodies]);
    assert.equal(JSON.stringify(await check({ files: [{ name: "range", bytes: range }] })), single);
    const head = (id) => [Buffer.from("placet.blocks.v1"), id, littleEndian(heights[0], 8)];
    const items = bodies.flatMap((body) => [littleEndian(body.length, 4), body]);
    const tail = (count) => [littleEndian(0, 4), littleEndian(count, 8)];
    const file = (...parts) => ({ name: "export", bytes: Buffer.concat(parts.flat()) });
    assert.equal(JSON.stringify(await check({ files: [file(head(chain), items, tail(bodies.length))] })), single);
    await refused(check({ files: [file(head(Buffer.alloc(32)), items, tail(bodies.length))] }), /another network/);
    await refused(check({ files: [file(head(chain), items, tail(1))] }), /as many blocks/);
    await refused(check({ files: [file(head(chain), items.slice(2), tail(bodies.length - 1))] }), /gap/);
});

test("no byte of a proof can be changed", async () => {
    for (let at = NOT_PROOF; at < transfer.raw.length; at++) {
        const { blocks: [block] } = await checkAltered((bytes) => { bytes[begin + at] ^= 1; });
        assert.equal(block.transfers[0].verified, false, `byte ${at}`);
    }
});

test("no field of a transfer can be changed", async () => {
    assert.equal(transfer.redeemed, 0n);
    for (let at = 0; at < NOT_PROOF; at += 7) {
        let report;
        try {
            report = await checkAltered((bytes) => { bytes[begin + at] ^= 1; });
        } catch (error) {
            assert.ok(error instanceof Refused, String(error));
            continue;
        }
        assert.equal(report.blocks[0].transfers[0].verified, false, `byte ${at}`);
        assert.match(report.blocks[0].problems[0], /^body: /, `byte ${at}`);
    }
});

test("a field element may not be written in a second way", async () => {
    const R = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
    const at = begin + transfer.raw.indexOf(transfer.nfPosition);
    const value = BigInt("0x" + Buffer.from(transfer.nfPosition).reverse().toString("hex"));
    await refused(checkAltered((bytes) => { bytes.set(littleEndian(value + R, 32), at); }), /not canonical/);
});

test("a file that is cut off or too long is refused", async () => {
    for (let length = 0; length < sample.bytes.length; length += 7) {
        await refused(checkAltered((bytes) => bytes.subarray(0, length)), /no file of blocks/);
    }
    await refused(checkAltered((bytes) => Buffer.concat([bytes, Buffer.alloc(1)])), /left behind its end/);
});

test("bytes of block and votes cannot be changed", async () => {
    // Everything but the transfer, which is done above.
    for (let at = 0; at < sample.bytes.length; at += at === begin - 1 ? transfer.raw.length : 31) {
        let report;
        try {
            report = await checkAltered((bytes) => { bytes[at] ^= 4; });
        } catch (error) {
            assert.ok(error instanceof Refused, String(error));
            continue;
        }
        // A changed epoch of header and votes may only say less.
        assert.ok(!report.sound || report.blocks[0].votes === null, `byte ${at}`);
    }
});

test("votes are counted", async () => {
    const { certificate } = blocksOf(sample.bytes, chain)[0].finality;
    const raw = certificate.raw;
    const votes = certificate.signatures.map((vote) => vote.raw);
    const fewer = (count) => altered((bytes) => Buffer.concat([bytes.subarray(0, bytes.length - raw.length),
        raw.subarray(0, 56), littleEndian(count, 4), ...votes.slice(0, count)]));
    const quorum = Math.floor((2 * genesis.authorities.length) / 3) + 1;
    assert.equal((await check({ files: [fewer(quorum)] })).blocks[0].votes, quorum);
    const { sound, blocks: [block] } = await check({ files: [fewer(quorum - 1)] });
    assert.ok(!sound);
    assert.match(block.problems.join(), /finality: .* votes where .* are needed/);
});

test("another key is refused, whatever it would verify", async () => {
    const swapped = { ...key, IC: [key.IC[1], key.IC[0], ...key.IC.slice(2)] };
    const sameDelta = { ...key, vk_delta_2: key.vk_gamma_2 };
    for (const json of [swapped, sameDelta]) {
        await refused(check({ keys: [{ name: "key", json }] }), /no circuit that this network names/);
    }
    const moved = { ...key, vk_alpha_1: [String(BigInt(key.vk_alpha_1[0]) + 1n), ...key.vk_alpha_1.slice(1)] };
    await refused(check({ keys: [{ name: "key", json: moved }] }), /not a finite point/);
    const { verified, sound } = await check({ keys: [] });
    assert.deepEqual({ verified, sound }, { verified: 0, sound: false });
});

test("values of a wrong type in genesis or key are refused, and nothing breaks", async () => {
    /** The same JSON with one of its values replaced, for each of them. */
    function* replaced(json, by) {
        yield by;
        if (typeof json !== "object" || json === null) return;
        for (const [name, value] of Object.entries(json)) {
            for (const other of replaced(value, by)) {
                yield Array.isArray(json) ? Object.assign([...json], { [name]: other }) : { ...json, [name]: other };
            }
        }
    }
    let count = 0;
    for (const by of [null, -1, "constructor", [], {}, [null, null, null]]) {
        const cases = [...[...replaced(genesis, by)].map((json) => ({ genesis: json })),
            ...[...replaced(key, by)].map((json) => ({ keys: [{ name: "key", json }] }))];
        for (const change of cases) {
            try {
                const { verified } = await check({ ...change, files: [] });
                assert.equal(verified, 0);
            } catch (error) {
                assert.ok(error instanceof Refused, `${JSON.stringify(by)}: ${error.stack}`);
                count += 1;
            }
        }
    }
    assert.ok(count > 500, `only ${count} were refused`);
});

test("another genesis is refused", async () => {
    const other = { ...genesis, time: genesis.time + 1 };
    const { sound, verified, blocks } = await check({ genesis: other, files: [files[0], sample] });
    assert.ok(!sound);
    assert.equal(verified, 0); // binding names the chain
    assert.match(blocks[0].problems.join(), /body: .*parent: .*finality: /);
    const id = readGenesis(other).chain.toString("hex");
    await refused(check({ chain: id }), /is that of chain/);
    assert.ok((await check({ chain: chain.toString("hex") })).sound);
});

test("a block that does not follow the one before is refused", async () => {
    const parent = altered((bytes) => { bytes[8] ^= 1; }, files[1]);
    const { blocks } = await check({ files: [files[0], parent] });
    assert.match(blocks[1].problems.join(), /does not follow/);
});

test("the command ends with 0 only if everything holds", () => {
    const scratch = mkdtempSync(join(tmpdir(), "check-"));
    const program = fileURLToPath(new URL("../check.mjs", import.meta.url));
    const run = (...args) => spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
    const keys = ["--genesis", join(directory, "genesis.json"), "--key", join(directory, "verification_key.json")];
    const file = (name, alter) => {
        writeFileSync(join(scratch, name), altered(alter).bytes);
        return join(scratch, name);
    };
    try {
        const good = run(...keys, file("good", () => {}));
        assert.equal(good.status, 0, good.stderr);
        assert.match(good.stdout, /proof verified\nproofs verified: 1 of 1 transfers in 1 blocks\n$/);
        const bad = run(...keys, file("bad", (bytes) => { bytes[begin + NOT_PROOF] ^= 1; }));
        assert.equal(bad.status, 1);
        assert.match(bad.stdout, /REFUSED.*\n.*REFUSED(.|\n)*NOT everything holds\n$/);
        const cut = run(...keys, "--json", file("cut", (bytes) => bytes.subarray(1)));
        assert.equal(cut.status, 1);
        assert.equal(JSON.parse(cut.stderr).sound, false);
        assert.equal(run(...keys, "--json", join(scratch, "none")).status, 1);
        assert.equal(run(...keys).status, 2);
        assert.equal(run("--wrong").status, 2);
        assert.equal(run("--help").status, 0);
    } finally {
        rmSync(scratch, { recursive: true });
    }
});
