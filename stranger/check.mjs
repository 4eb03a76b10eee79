#!/usr/bin/env node
// Verifies the proofs of a block of Placet, which somebody downloaded, with none of Placet's
// software: Node, snarkjs, and these few files. The specification is docs/spec.md; the guide is
// docs/guides/verify-a-block.md.

import { readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as chainRules from "./chain.mjs";
import { CHANGE_CIRCUITS, TRANSFER, blocksOf } from "./format.mjs";
import { keyHash, keyOfPoints, readKey, release, verify } from "./groth16.mjs";
import { Refused, compare, fromHex, hex, refuse } from "./wire.mjs";

const USAGE = `Usage: node check.mjs --genesis FILE --key FILE [--key FILE]... [--chain ID] [--final] [--json] BLOCKS...

  BLOCKS         what a node answered to GET /v1/blocks/HEIGHT or /v1/blocks?from=&max=, or a file
                 of \`placet node export\`
  --genesis      genesis.json of the network, from a place that you trust
  --key          verification_key.json; its hash is checked, so it may come from anywhere
  --chain        refuse any genesis but that with this id (64 hexadecimal digits)
  --final        refuse blocks whose votes are not all by authorities of the genesis, too
  --json         print one JSON value

Ends with 0 if everything that was checked holds, 1 if anything does not, 2 if it was called wrongly.`;

/** Runs a check and says in words why it failed, or null. */
async function attempt(check) {
    try {
        await check();
        return null;
    } catch (error) {
        if (error instanceof Refused) return error.message;
        throw error;
    }
}

/** Which circuit of the network each key belongs to, by its hash. */
export function assignKeys(circuits, keys) {
    const assigned = new Map();
    for (const { name, json } of keys) {
        const key = readKey(json);
        const found = circuits.find(({ id, statement, digest }) =>
            Object.hasOwn(chainRules.STATEMENTS, statement) &&
            hex(keyHash(chainRules.STATEMENTS[statement], digest, key)) === id);
        if (found === undefined) {
            refuse(`${name} is the key of no circuit that this network names: its hash is another`);
        }
        assigned.set(found.id, key);
    }
    return assigned;
}

/** Checks a transfer's proof; throws Refused. */
async function checkTransfer(network, keys, height, tx) {
    const id = hex(tx.circuit);
    const key = keys.get(id);
    if (key === undefined) refuse(`there is no key of its circuit ${id}: add it with --key, or the block that added the circuit`);
    if (tx.expiryHeight < height) refuse("it expired before this block");
    await verify(key, chainRules.publicInputs(network.chain, tx), tx.proof);
}

/** One block without its proofs: its body and the votes that make it final. */
async function checkBlock(network, { header, entries, finality }) {
    const { chain } = network;
    const block = { height: Number(header.height), id: hex(chainRules.blockId(chain, header)),
        time: Number(header.time), transactions: entries.found.length, votes: null, problems: [],
        transfers: [] };
    const check = async (what, act) => {
        const problem = await attempt(act);
        if (problem !== null) block.problems.push(`${what}: ${problem}`);
    };
    await check("body", () => {
        if (!chainRules.bodyHash(chain, entries.found).equals(header.body)) {
            refuse("its hash is not the header's: altered, or of another network");
        }
    });
    await check("parent", () => {
        if (header.height === 0n || (header.height === 1n && !header.parent.equals(chain))) {
            refuse("the first block does not follow this genesis");
        }
    });
    await check("finality", () => {
        block.votes = chainRules.checkFinality(network, header, finality);
    });
    return block;
}

/** Keys of circuits that the authorities added in these blocks (§12.8), if the blocks are final. */
function addedKeys(found, blocks) {
    const final = found.filter((_, i) => blocks[i].votes !== null && blocks[i].problems.length === 0);
    return final.flatMap(({ entries }) => entries.found.map(({ transaction }) => transaction))
        .filter(({ kind, content }) => kind === CHANGE_CIRCUITS && content.change.points !== undefined &&
            Object.hasOwn(chainRules.STATEMENTS, content.change.statement))
        .map(({ content: { change: { statement, digest, points } } }) => {
            const key = keyOfPoints(points);
            return [hex(keyHash(chainRules.STATEMENTS[statement], digest, key)), key];
        });
}

/** Everything: `files` and `keys` with a name each, for messages. */
export async function examine({ genesis, chain, final, keys, files }) {
    const network = chainRules.readGenesis(genesis);
    if (chain !== undefined && !fromHex(chain, "--chain").equals(network.chain)) {
        refuse(`the genesis is that of chain ${hex(network.chain)}, not of ${chain}`);
    }
    const found = files.map(({ name, bytes }) => {
        try {
            return blocksOf(bytes, network.chain);
        } catch (error) {
            if (error instanceof Refused) refuse(`${name} is no file of blocks: ${error.message}`);
            throw error;
        }
    }).flat();
    found.sort((a, b) => compare(a.header.height, b.header.height));
    const assigned = assignKeys(network.circuits, keys);
    const blocks = [];
    for (const block of found) blocks.push(await checkBlock(network, block));
    found.forEach(({ header }, i) => {
        const follows = i > 0 && header.height === found[i - 1].header.height + 1n;
        if (follows && hex(header.parent) !== blocks[i - 1].id) {
            blocks[i].problems.push("parent: it does not follow the block before it");
        }
    });
    for (const [id, key] of addedKeys(found, blocks)) assigned.set(id, key);
    for (const [i, { header, entries }] of found.entries()) {
        for (const { transaction } of entries.found) {
            if (transaction.kind !== TRANSFER) continue;
            const tx = transaction.content;
            const problem = await attempt(() => checkTransfer(network, assigned, header.height, tx));
            blocks[i].transfers.push({ id: hex(chainRules.transactionId(network.chain, transaction)),
                asset: hex(tx.asset), circuit: hex(tx.circuit), verified: problem === null, problem });
        }
    }
    const transfers = blocks.flatMap((block) => block.transfers);
    const verified = transfers.filter((transfer) => transfer.verified).length;
    const sound = verified === transfers.length &&
        blocks.every(({ problems, votes }) => problems.length === 0 && !(final && votes === null));
    return { network: network.name, kind: network.kind, chain: hex(network.chain), blocks,
        transfers: transfers.length, verified, sound };
}

function describe(report) {
    const lines = [`network ${report.network}, chain ${report.chain}`];
    if (report.kind === "dev") {
        lines.push("a development network: whoever made its keys can forge proofs");
    }
    for (const block of report.blocks) {
        const votes = block.votes === null ? "not shown to be final" : `final by ${block.votes} votes`;
        lines.push(`block ${block.height} ${block.id}, ${votes}`);
        lines.push(...block.problems.map((problem) => `  REFUSED ${problem}`));
        lines.push(...block.transfers.map(({ id, asset, problem }) =>
            `  transfer ${id} of asset ${asset}: ${problem === null ? "proof verified" : `REFUSED, ${problem}`}`));
    }
    const counts = `${report.verified} of ${report.transfers} transfers in ${report.blocks.length} blocks`;
    lines.push(report.transfers === 0 ? `no transfers in ${report.blocks.length} blocks, so no proofs`
        : `proofs verified: ${counts}`);
    if (report.blocks.some(({ votes, problems }) => votes === null && problems.length === 0)) {
        lines.push("Blocks not shown to be final have no votes of the genesis's authorities. Others may sit",
            "by now; that takes the chain to follow: `placet audit`.");
    }
    if (!report.sound) lines.push("NOT everything holds");
    return lines.join("\n");
}

function readArguments() {
    const options = { genesis: { type: "string" }, key: { type: "string", multiple: true },
        chain: { type: "string" }, final: { type: "boolean" }, json: { type: "boolean" }, help: { type: "boolean" } };
    try {
        const { values, positionals } = parseArgs({ options, allowPositionals: true });
        const complete = values.genesis && values.key && positionals.length > 0;
        return values.help || complete ? { ...values, files: positionals } : undefined;
    } catch (error) {
        console.error(error.message);
        return undefined;
    }
}

function read(name, parse) {
    try {
        return parse(readFileSync(name));
    } catch (error) {
        return refuse(`${name} cannot be read: ${error.message}`);
    }
}

async function main() {
    const args = readArguments();
    if (args === undefined || args.help) {
        (args ? console.log : console.error)(USAGE);
        return args ? 0 : 2;
    }
    let report;
    const failure = await attempt(async () => {
        report = await examine({ genesis: read(args.genesis, JSON.parse), chain: args.chain,
            final: args.final, keys: args.key.map((name) => ({ name, json: read(name, JSON.parse) })),
            files: args.files.map((name) => ({ name, bytes: read(name, (bytes) => bytes) })) });
    });
    await release();
    if (failure !== null) {
        console.error(args.json ? JSON.stringify({ sound: false, message: failure }) : `REFUSED: ${failure}`);
        return 1;
    }
    console.log(args.json ? JSON.stringify(report) : describe(report));
    return report.sound ? 0 : 1;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
    process.exitCode = await main();
}
