// What is in a block: the structures of specification §13.3, §13.5 and §13.6, in their order. The
// names are the specification's. Keys and points that the check of proofs does not need are taken as
// bytes; whoever follows the ledger's rules has to check them too (§3).

import { R } from "./groth16.mjs";
import { Reader, ascending, blob, bool, bytes, decode, enumeration, fromLittleEndian, list, optional,
    refuse, struct, text, u16, u32, u64, u8, where } from "./wire.mjs";

/** A field element as its 32 bytes, canonical: §2.2. */
const F = where(bytes(32), (value) => fromLittleEndian(value) < R, "a field element is not canonical");
const K = bytes(32); // Ed25519 public key
const X = bytes(32); // X25519 public key
const P = struct({ x: F, y: F }); // point of Baby Jubjub
const signature = bytes(64);
const hash = bytes(32);

const isName = (name) => !/^\p{White_Space}*$|\p{Cc}/u.test(name);
const name = where(text(64), isName, "a name is empty or has control characters");
/** Seconds that leave room for deadlines: §2.6. */
const time = where(u64, (seconds) => seconds < 2n ** 40n - 2n ** 22n, "a time is too late");
const asset = F;
const by = (field) => (item) => item[field];
const byNumber = (value) => fromLittleEndian(value);

// --- transactions, §13.3 ---

const approvals = ascending(struct({ authority: K, signature }), 64, by("authority"));
const admission = { name, key: K, possession: signature, approvals };

const subjectTag = struct({ tag: bytes(32), validUntil: u64 });
const tags = struct({
    holder: bytes(32),
    subjects: where(ascending(subjectTag, 16, by("tag")), (list) => list.length > 0, "no subject tag"),
});
const issue = { attestor: F, sequence: u64, inner: F, tags: optional(tags), sealed: bytes(273), signature };
const revoke = { attestor: F, sequence: u64, leaf: u64, urgent: bool, signature };

const subject = where(F, (value) => value[31] === 0 && value.some((byte) => byte !== 0),
    "a sanctioned document is 0 or has more than 248 bits");
const sanctions = { version: u64, urgent: bool, subjects: ascending(subject, 262_143, byNumber), signature };

const attestors = where(list(F, 8), (ids) => ids.every((id, i) => byNumber(id) !== 0n &&
    !ids.slice(0, i).some((other) => id.equals(other))), "an attestor is listed twice, or nobody");
const rule = struct({
    jurisdiction: where(u16, (code) => code < 4096, "a jurisdiction has 12 bits"),
    allowed: where(bool, (allowed) => allowed, "only allowed jurisdictions have a rule"),
    anyOf: u16, lockup: u32, maxHolding: u64,
});
const policy = where(struct({
    identityAttestors: attestors, investorAttestors: attestors,
    rules: ascending(rule, 512, by("jurisdiction")),
    maxRisk: u8, unitPrice: u64,
    capitalBps: where(u32, (share) => share <= 10_000, "a share above 10,000 basis points"),
    capitalRule: bool,
    currency: optional(where(bytes(3), (code) => /^[A-Z]{3}$/.test(code), "a currency's code")),
    maxHolders: optional(u64),
    endorsement: where(bytes(7), (needed) => needed.every((n) => n <= 64), "over 64 endorsements"),
}), (rules) => rules.currency !== null || !rules.capitalRule, "a capital rule without currency");
/** Two letters, nine letters or digits, and Luhn's check digit over the digits with A = 10, …: */
function isIsin(code) {
    const form = /^[A-Z]{2}[A-Z0-9]{9}[0-9]$/.test(code);
    const digits = [...String(code)].map((c) => parseInt(c, 36)).join("");
    const weighted = [...digits].reverse().map((digit, i) => digit * (1 + (i % 2)));
    return form && weighted.reduce((sum, w) => sum + Math.floor(w / 10) + (w % 10), 0) % 10 === 0;
}
const registration = struct({
    issuer: K, viewing: P, sealing: X, signing: K,
    name, isin: optional(where(bytes(12), isIsin, "no ISIN")),
    legend: where(text(4096), (legend) => !/[^\P{Cc}\n]/u.test(legend), "a legend has control characters"),
    documentHash: hash, decimals: where(u8, (n) => n <= 18, "over 18 decimals"),
    authorisedSupply: where(u64, (n) => n >= 1n && n <= 2n ** 63n, "an authorised supply of 1 to 2^63"),
    countHolders: bool, policy,
});
/** Order of the subgroup of Baby Jubjub: §2.1. */
const ELL = 2736030358979909402780800718157159386076813972158567259200215660948447373041n;
const scalar = where(bytes(32), (value) => byNumber(value) < ELL, "a scalar is not canonical");
const consent = struct({ possession: P, response: scalar, signature });
const register = { registration, issuer: signature, agent: consent };
const setPolicy = { asset, version: u64, urgent: bool, policy, signature };

const mint = {
    asset, amount: where(u64, (n) => n > 0n, "an allotment of nothing"),
    unlockAt: where(u64, (seconds) => seconds < 2n ** 40n, "a time of more than 40 bits"), ownerTag: F,
    sealedDelivery: bytes(136), sealedMint: bytes(112), issuer: signature, agent: signature,
};

/** 1, 0 or -1 as a field element. */
const delta = where(F, (value) => [0n, 1n, R - 1n].includes(fromLittleEndian(value)),
    "a change in the number of holders is 0, 1 or -1");
const body = {
    circuit: bytes(32), asset, positionRoot: F, deliveryRoot: F, registryRoot: F, sanctionsRoot: F,
    policy: F, now: time, nfPosition: F, nfDelivery: F, cmPosition: F, cmDelivery: F, receipt: F,
    holdersDelta: delta, disclosure0: F, disclosure1: F, disclosure2: F,
    sealed: bytes(136), expiryHeight: u64, redeemed: u64, redemption: signature,
};
const transfer = where(struct({ ...body, proof: bytes(128) }),
    (tx) => tx.redeemed !== 0n || tx.redemption.every((byte) => byte === 0),
    "a signature on the redemption of nothing");

const freeze = {
    asset, sequence: u64,
    nullifiers: where(ascending(F, 1024, byNumber), (list) => list.length > 0, "an empty list"),
    signature,
};
const pause = { asset, sequence: u64, paused: bool, by: enumeration(2), signature };
const rotate = { asset, sequence: u64, signing: K, issuer: signature, agent: consent };

const lei = where(text(20), (code) => /^[A-Z0-9]{20}$/.test(code), "an LEI has 20 capitals and digits");
const authority = struct({ name, lei: optional(lei), key: K, mandates: ascending(enumeration(7), 7) });
const change = (reader) => (enumeration(2)(reader) === 0 ? authority(reader) : K(reader));
const changeAuthorities = { number: u64, change, possession: optional(signature), approvals };

const assertion = struct({
    transaction: hash, proofHash: hash, checkpoint: enumeration(7), verdict: u16, judgedAt: u64,
    judgedTime: u64, expiresAt: u64, discretionary: bool, authority: K, signature,
});
const convict = { transfer, assertion };

const newCircuit = struct({
    statement: name, digest: hash, points: blob(8192), transcript: optional(blob(65_536)), activation: u64,
});
const circuitEnd = struct({ circuit: hash, height: u64 });
const circuitChange = (reader) => (enumeration(2)(reader) === 0 ? newCircuit(reader) : circuitEnd(reader));
const changeCircuits = { number: u64, change: circuitChange, approvals };

/** Content by kind. */
const CONTENT = {
    1: struct(admission), 2: struct(issue), 3: struct(revoke), 4: struct(sanctions),
    5: struct(register), 6: struct(setPolicy), 7: struct(mint), 8: transfer, 9: struct(freeze),
    10: struct(freeze), 11: struct(pause), 12: struct(rotate), 13: struct(changeAuthorities),
    14: struct(convict), 15: struct(changeCircuits),
};
export const TRANSFER = 8;
export const CHANGE_CIRCUITS = 15;

/** Version, kind, content; at most 128 KiB, but a sanctions list. */
export function transaction(reader) {
    const begin = reader.at;
    const version = u8(reader);
    if (version !== 1) refuse(`a transaction of version ${version}; this program knows version 1`);
    const kind = u8(reader);
    const type = CONTENT[kind] ?? refuse(`a transaction of unknown kind ${kind}`);
    const content = type(reader);
    const longest = kind === 4 ? 262_143 * 32 + 256 : 128 * 1024;
    if (reader.at - begin > longest) refuse("a transaction is too long");
    return { kind, content };
}

// --- blocks, §13.5 and §13.6 ---

const header = struct({
    height: u64, parent: hash, time: u64, state: hash, body: hash, validators: hash, proposer: K,
});
/** Only transfers are endorsed. */
function entry(reader) {
    const found = transaction(reader);
    return { transaction: found, assertions: list(assertion, found.kind === TRANSFER ? 448 : 0)(reader) };
}
const entries = where((reader) => {
    const begin = reader.at;
    const found = list(entry, 4096)(reader);
    return { found, length: reader.at - begin };
}, ({ found, length }) => length <= 16 * 1024 * 1024 &&
    found.filter((one) => one.transaction.kind === TRANSFER).length <= 512, "a block is too large");
const certificate = struct({
    epoch: u64, view: u64, parentView: u64, context: hash,
    signatures: ascending(struct({ authority: K, signature }), 64, by("authority")),
});
const finality = struct({ descendants: list(header, 16_384), certificate });
/** A block with what makes it final: what a node answers to `GET /v1/blocks/{height}`. */
export const certifiedBlock = struct({ header, entries, finality });

/** The blocks of a file: an answer of a node, one block or the list of a range, or a file of
 * `placet node export` (§13.8). */
export function blocksOf(file, chain) {
    const magic = "placet.blocks.v1";
    if (file.length >= 48 && file.subarray(0, 16).equals(Buffer.from(magic))) {
        return exported(new Reader(file.subarray(16)), chain);
    }
    // A list begins with a count of four bytes and then the first height, a block with its height of
    // eight bytes; heights are far below 2^32.
    const isBlock = file.length >= 8 && file.readUInt32LE(4) === 0;
    return isBlock ? [decode(certifiedBlock, file)] : decode(list(certifiedBlock, 1024), file);
}

function exported(reader, chain) {
    if (!reader.take(32).equals(chain)) refuse("the file has blocks of another network");
    const first = u64(reader);
    const blocks = [];
    for (let length = u32(reader); length !== 0; length = u32(reader)) {
        const block = decode(certifiedBlock, reader.take(length));
        if (block.header.height !== first + BigInt(blocks.length)) refuse("heights have a gap");
        blocks.push(block);
    }
    if (u64(reader) !== BigInt(blocks.length)) refuse("the file does not have as many blocks as it says");
    reader.end();
    return blocks;
}
