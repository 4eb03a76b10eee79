// What the bytes of a block have to do with a network: ids and hashes (specification §13.2, §13.3,
// §13.5), what a proof is bound to (§7.1, §7.6), and the votes that make a block final (§9.3).

import { createPublicKey, verify as verifySignature } from "node:crypto";
import { TRANSFER } from "./format.mjs";
import { Refused, compare, fromHex, fromLittleEndian, hex, littleEndian, refuse, sha256 } from "./wire.mjs";

const CHECKPOINTS = ["identity", "sanctions", "jurisdiction", "accreditation", "capital", "risk",
    "ownership"];
const PARAMETERS = { root_window: 8, note_window: 8, heartbeat: 8, urgent_quota: 4, urgent_epoch: 8,
    epoch_length: 8 };
/** Numbers of statements: §12.1. */
export const STATEMENTS = { transfer: 1 };

// --- genesis, §13.2 ---

const count = (list) => littleEndian(list.length, 4);

function withLength(text) {
    if (typeof text !== "string") refuse("a name in the genesis is no text");
    return [littleEndian(Buffer.byteLength(text), 4), Buffer.from(text)];
}

/** Every list of a genesis comes by here before anything is done with it. */
const items = (list) => (Array.isArray(list) ? list : refuse("a list in the genesis is no list"));
const optional = (value, write) => (value === undefined || value === null ? [Buffer.from([0])]
    : [Buffer.from([1]), ...write(value)]);

function fieldsOf(object, required, allowed = []) {
    const names = Object.keys(object ?? {});
    for (const name of required) {
        if (!names.includes(name)) refuse(`the genesis lacks the field ${name}`);
    }
    const stray = names.find((name) => ![...required, ...allowed].includes(name));
    if (stray !== undefined) refuse(`the genesis has a field ${stray} that it should not have`);
    return object;
}

function number(value, length, what) {
    if (!Number.isSafeInteger(value) || value < 0) refuse(`${what} in the genesis is no whole number`);
    return littleEndian(value, length);
}

function writeAuthority(authority) {
    const { name, lei, key, mandates } = fieldsOf(authority, ["name", "key", "mandates"], ["lei"]);
    const numbers = [...new Set(items(mandates))].map((mandate) => CHECKPOINTS.indexOf(mandate)).sort();
    if (numbers.includes(-1)) refuse(`the genesis has an unknown mandate of ${name}`);
    return [...withLength(name), ...optional(lei, withLength), fromHex(key, "an authority's key"),
        count(numbers), Buffer.from(numbers)];
}

function writePin(pin) {
    const { statement, circuit_digest, verifying_key, transcript } =
        fieldsOf(pin, ["statement", "circuit_digest", "verifying_key"], ["transcript"]);
    return [...withLength(statement), fromHex(circuit_digest, "a circuit's digest"),
        fromHex(verifying_key, "the hash of a verifying key"),
        ...optional(transcript, (value) => [fromHex(value, "the hash of a transcript")])];
}

/** The binary encoding of a genesis in JSON, and the chain id that is its hash. */
export function readGenesis(json) {
    const genesis = fieldsOf(json, ["name", "kind", "time", "authorities", "sanctions_publisher",
        "params", "circuits"]);
    const kind = ["dev", "other"].indexOf(genesis.kind);
    if (kind < 0) refuse("the genesis is of an unknown kind");
    const params = fieldsOf(genesis.params, Object.keys(PARAMETERS));
    if (!(params.epoch_length >= 4)) refuse("epochs in the genesis are shorter than 4 blocks");
    const encoding = Buffer.concat([
        ...withLength(genesis.name), Buffer.from([kind]), number(genesis.time, 8, "the time"),
        count(items(genesis.authorities)), ...genesis.authorities.flatMap(writeAuthority),
        fromHex(genesis.sanctions_publisher, "the publisher's key"),
        ...Object.entries(PARAMETERS).map(([name, length]) => number(params[name], length, name)),
        count(items(genesis.circuits)), ...genesis.circuits.flatMap(writePin),
    ]);
    const validators = genesis.authorities.map(({ key }) => Buffer.from(key, "hex")).sort(compare);
    const circuits = genesis.circuits.map((pin) => ({
        id: pin.verifying_key.toLowerCase(), statement: pin.statement,
        digest: Buffer.from(pin.circuit_digest, "hex"),
    }));
    return { chain: sha256("placet.genesis.v1", encoding), name: genesis.name, kind: genesis.kind,
        validators, circuits, epochLength: BigInt(params.epoch_length) };
}

// --- ids and hashes ---

/** Everything but the proof; sealed boxes by their hash. §13.3. */
export function transactionId(chain, { kind, content }) {
    let covered = [content.raw];
    const cut = (begin, length) => content.raw.subarray(begin, begin + length);
    const end = content.raw.length;
    if (kind === 2) covered = [cut(0, end - 337), sha256(content.sealed), content.signature];
    if (kind === 7) {
        covered = [cut(0, 80), sha256(content.sealedDelivery), sha256(content.sealedMint),
            content.issuer, content.agent];
    }
    if (kind === TRANSFER) {
        covered = [cut(0, end - 344), sha256(content.sealed), cut(end - 208, 80)];
    }
    return sha256("placet.transaction.v1", chain, Buffer.from([kind]), ...covered);
}

export const blockId = (chain, header) => sha256("placet.block.v1", chain, header.raw);

/** The root of RFC 6962 §2.1 over hashes of leaves. */
export function treeRoot(leaves) {
    if (leaves.length === 0) return sha256();
    if (leaves.length === 1) return leaves[0];
    let half = 1;
    while (2 * half < leaves.length) half *= 2;
    const [left, right] = [leaves.slice(0, half), leaves.slice(half)];
    return sha256(Buffer.from([1]), treeRoot(left), treeRoot(right));
}

/** §13.5: of the number of entries and the root over their digests. */
export function bodyHash(chain, entries) {
    const leaves = entries.map(({ transaction, assertions }) => sha256(Buffer.from([0]),
        transactionId(chain, transaction), sha256(transaction.content.proof ?? ""),
        count(assertions), ...assertions.map((assertion) => assertion.raw)));
    return sha256("placet.body.v1", chain, count(entries), treeRoot(leaves));
}

// --- what a proof says ---

/** §7.6: 248 bits of SHA-256 over chain, expiry height and the one leg of the transfer. */
export function binding(chain, tx) {
    const digest = sha256("placet.binding.v1", chain, littleEndian(tx.expiryHeight, 8),
        littleEndian(1, 4), tx.circuit, tx.asset, tx.nfPosition, tx.nfDelivery, tx.cmPosition,
        tx.cmDelivery, tx.receipt, littleEndian(tx.redeemed, 8), sha256(tx.sealed));
    return BigInt("0x" + hex(digest.subarray(1)));
}

/** The 17 public inputs in their order: §7.1. */
export const publicInputs = (chain, tx) => [
    ...[tx.positionRoot, tx.deliveryRoot, tx.registryRoot, tx.sanctionsRoot, tx.policy]
        .map(fromLittleEndian),
    tx.now,
    ...[tx.nfPosition, tx.nfDelivery, tx.cmPosition, tx.cmDelivery, tx.receipt, tx.holdersDelta]
        .map(fromLittleEndian),
    tx.redeemed,
    ...[tx.disclosure0, tx.disclosure1, tx.disclosure2].map(fromLittleEndian),
    binding(chain, tx),
];

// --- finality, §9.3 ---

/** Seven bits a byte, least significant first, the high bit on all but the last. */
function varint(value) {
    const bytes = [];
    for (; value >= 0x80n; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
    return Buffer.from([...bytes, Number(value)]);
}

function isSignedBy(key, message, signature) {
    const prefix = Buffer.from("302a300506032b6570032100", "hex"); // Ed25519, RFC 8410
    try {
        const der = Buffer.concat([prefix, key]);
        return verifySignature(null, message, createPublicKey({ key: der, format: "der", type: "spki" }),
            signature);
    } catch {
        return false;
    }
}

/** Checks the votes for a block against the authorities of the genesis and returns how many there
 * are. Who validates epoch 0 is known; of later epochs the chain decides, so where votes do not hold
 * there this returns null: perhaps the authorities changed. Node's Ed25519 is stricter than ZIP 215;
 * a vote that only the latter takes would be refused here. */
export function checkFinality(network, header, finality) {
    const last = carrier(network, header, finality);
    try {
        return countVotes(network, last, finality.certificate);
    } catch (error) {
        if (!(error instanceof Refused) || finality.certificate.epoch === 0n) throw error;
        return null;
    }
}

/** The header that the votes are for: the block's own, or that of a descendant in its epoch. */
function carrier({ chain, epochLength }, header, { descendants, certificate }) {
    let last = header;
    for (const next of descendants) {
        const follows = next.height === last.height + 1n && next.parent.equals(blockId(chain, last));
        if (!follows) refuse("the headers behind the block do not form a chain");
        last = next;
    }
    const epochs = [header.height / epochLength, last.height / epochLength, certificate.epoch];
    if (epochs.some((epoch) => epoch !== epochs[0])) refuse("its votes are of another epoch");
    return last;
}

function countVotes({ chain, validators }, header, { epoch, view, parentView, context, signatures }) {
    const quorum = Math.floor((2 * validators.length) / 3) + 1;
    if (signatures.length < quorum) refuse(`${signatures.length} votes where ${quorum} are needed`);
    const set = sha256("placet.validators.v1", chain, count(validators), ...validators);
    const payload = sha256("placet.proposal.v1", chain, blockId(chain, header), context);
    const message = Buffer.concat([varint(92n), Buffer.from("placet.consensus.v1"), chain, set,
        Buffer.from("_FINALIZE"), varint(epoch), varint(view), varint(parentView), payload]);
    for (const { authority, signature } of signatures) {
        if (!validators.some((key) => key.equals(authority))) {
            refuse(`${hex(authority)} voted and is no authority of the genesis`);
        }
        if (!isSignedBy(authority, message, signature)) refuse(`the vote of ${hex(authority)} is not valid`);
    }
    return signatures.length;
}
