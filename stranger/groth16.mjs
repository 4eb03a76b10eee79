// Proofs and keys on BN254: points as Placet writes them (specification §13.7) to points as snarkjs
// takes them, the hash of a verifying key (§12.2), and the verification itself, which is snarkjs's.

import { curves, groth16 } from "snarkjs";
import { fromLittleEndian, littleEndian, refuse, sha256 } from "./wire.mjs";

/** Order of the field of coordinates. */
export const P = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
/** Order of the groups; public inputs are below it. */
export const R = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

// --- the fields of coordinates ---

const mod = (a) => ((a % P) + P) % P;

function power(base, exponent) {
    let result = 1n;
    for (let square = mod(base); exponent > 0n; exponent >>= 1n) {
        if (exponent & 1n) result = (result * square) % P;
        square = (square * square) % P;
    }
    return result;
}

const inverse = (a) => power(a, P - 2n);

/** A square root, or undefined. P is 3 modulo 4. */
function root(a) {
    const candidate = power(a, (P + 1n) / 4n);
    return mod(candidate * candidate - a) === 0n ? candidate : undefined;
}

/** Integers modulo P; an element of Fq is written as a list of one, so that both fields look alike. */
const Fq = {
    add: ([a], [b]) => [mod(a + b)],
    mul: ([a], [b]) => [mod(a * b)],
    neg: ([a]) => [mod(-a)],
    sqrt: ([a]) => {
        const found = root(a);
        return found === undefined ? undefined : [found];
    },
};

/** Fq[u] / (u² + 1), elements a0 + a1·u as [a0, a1]. */
const Fq2 = {
    add: ([a0, a1], [b0, b1]) => [mod(a0 + b0), mod(a1 + b1)],
    mul: ([a0, a1], [b0, b1]) => [mod(a0 * b0 - a1 * b1), mod(a0 * b1 + a1 * b0)],
    neg: ([a0, a1]) => [mod(-a0), mod(-a1)],
    /** By the norm: (x0 + x1·u)² = a means x0² = (a0 ± √(a0² + a1²)) / 2 and x1 = a1 / (2·x0). */
    sqrt: ([a0, a1]) => {
        const norm = root(mod(a0 * a0 + a1 * a1));
        if (norm === undefined) return undefined;
        for (const sign of [norm, -norm]) {
            const x0 = root(mod((a0 + sign) * inverse(2n)));
            if (x0 === undefined) continue;
            // x0 = 0: a is in Fq and no square there, so its root is a multiple of u.
            const x1 = x0 === 0n ? root(mod(-a0)) : mod(a1 * inverse(2n * x0));
            if (x1 === undefined) continue;
            const [s0, s1] = Fq2.mul([x0, x1], [x0, x1]);
            if (s0 === a0 && s1 === a1) return [x0, x1];
        }
        return undefined;
    },
};

/** y² = x³ + b: b = 3 for G1, and 3 / (9 + u) for G2, where 1 / (9 + u) = (9 - u) / 82. */
const G1 = { name: "G1", field: Fq, limbs: 1, b: [3n] };
const G2 = { name: "G2", field: Fq2, limbs: 2, b: [27n, -3n].map((c) => mod(c * inverse(82n))) };

// --- points ---

/** Of y and -y the one that counts as negative is the larger, compared from the highest limb on. */
function isNegative(group, y) {
    const other = group.field.neg(y);
    for (let i = group.limbs - 1; i >= 0; i--) if (y[i] !== other[i]) return y[i] > other[i];
    return false;
}

/** A compressed point: x, limbs least significant first; the last byte's highest bit says that y is
 * negative, the one below that it is the point at infinity, which is refused here. */
export function decompress(group, encoding, what) {
    const copy = Buffer.from(encoding);
    const flags = copy[copy.length - 1] >> 6;
    copy[copy.length - 1] &= 0x3f;
    if (flags & 1) refuse(`${what} is the point at infinity, or not a point`);
    const x = [];
    for (let i = 0; i < group.limbs; i++) {
        x.push(fromLittleEndian(copy.subarray(32 * i, 32 * i + 32)));
        if (x[i] >= P) refuse(`${what} has a coordinate that is not canonical`);
    }
    const { add, mul, neg, sqrt } = group.field;
    const y = sqrt(add(mul(mul(x, x), x), group.b));
    if (y === undefined) refuse(`${what} is not on the curve: no point has this x`);
    return { x, y: isNegative(group, y) === (flags === 2) ? y : neg(y) };
}

/** Coordinates of snarkjs's JSON: decimal texts, third coordinate 1; of G2 pairs [a0, a1]. */
function fromJson(group, value, what) {
    const limbs = (c) => (group.limbs === 1 ? [c] : c);
    const shape = Array.isArray(value) && value.length === 3 &&
        value.every((c) => Array.isArray(limbs(c)) && limbs(c).length === group.limbs);
    const digits = shape && value.flatMap(limbs).every((c) => /^(0|[1-9][0-9]{0,77})$/.test(c));
    if (!digits) refuse(`${what} is not a point of ${group.name} in snarkjs's JSON`);
    const [x, y, z] = value.map((c) => limbs(c).map(BigInt));
    const { add, mul } = group.field;
    const right = add(mul(mul(x, x), x), group.b);
    const canonical = [...x, ...y].every((c) => c < P);
    const onCurve = canonical && mul(y, y).every((c, i) => c === right[i]);
    if (!onCurve || z[0] !== 1n || z.slice(1).some((c) => c !== 0n)) {
        refuse(`${what} is not a finite point of ${group.name}`);
    }
    return { x, y };
}

/** Uncompressed: x, then y with the flag of its sign. */
function uncompressed(group, { x, y }) {
    const encoding = Buffer.concat([...x, ...y].map((limb) => littleEndian(limb, 32)));
    if (isNegative(group, y)) encoding[encoding.length - 1] |= 0x80;
    return encoding;
}

const toJson = (group, { x, y }) => {
    const flat = [x, y, group.limbs === 1 ? [1n] : [1n, 0n]].map((c) => c.map(String));
    return group.limbs === 1 ? flat.flat() : flat;
};

// --- keys and proofs ---

/** A verification key in snarkjs's JSON, with its points checked and encoded for its hash. */
export function readKey(json) {
    if (json?.protocol !== "groth16" || !["bn128", "bn254"].includes(json.curve) ||
        !Array.isArray(json.IC)) {
        refuse("it is no verification key of Groth16 over BN254 (bn128) in snarkjs's JSON");
    }
    const inputs = json.IC.length - 1;
    if (json.nPublic !== inputs) refuse("nPublic and the length of IC do not go together");
    const points = [[G1, json.vk_alpha_1, "vk_alpha_1"], [G2, json.vk_beta_2, "vk_beta_2"],
        [G2, json.vk_gamma_2, "vk_gamma_2"], [G2, json.vk_delta_2, "vk_delta_2"],
        ...json.IC.map((point, i) => [G1, point, `IC[${i}]`])];
    const encoding = Buffer.concat(points.map(([group, point, what]) =>
        uncompressed(group, fromJson(group, point, what))));
    return { inputs, encoding, json: { ...json, curve: "bn128" } };
}

/** A key from its points as they are encoded for its hash: alpha, beta, gamma, delta, then IC. */
export function keyOfPoints(encoding) {
    const [fixed, each] = [64 + 3 * 128, 64];
    const ic = (encoding.length - fixed) / each;
    if (!Number.isInteger(ic) || ic < 1) refuse("the bytes are no verifying key");
    let at = 0;
    const coordinate = (limbs) => Array.from({ length: limbs }, (_, i) => {
        const limb = Buffer.from(encoding.subarray(at, (at += 32)));
        if (i === limbs - 1) limb[31] &= 0x7f; // the sign of y, which is checked below
        return fromLittleEndian(limb);
    });
    const [g1, g2] = [G1, G2].map((group) => () => toJson(group,
        { x: coordinate(group.limbs), y: coordinate(group.limbs) }));
    const key = readKey({ protocol: "groth16", curve: "bn128", nPublic: ic - 1, vk_alpha_1: g1(),
        vk_beta_2: g2(), vk_gamma_2: g2(), vk_delta_2: g2(), IC: Array.from({ length: ic }, g1) });
    return key.encoding.equals(encoding) ? key : refuse("the points of a verifying key are not canonical");
}

/** §12.2: names statement, circuit and key; a transfer carries it. */
export const keyHash = (statement, circuitDigest, key) =>
    sha256("placet.verifying-key.v1", littleEndian(statement, 4), circuitDigest, key.encoding);

/** Checks 128 bytes of proof for public inputs; throws Refused if they are no proof of it. */
export async function verify(key, inputs, proof) {
    if (inputs.length !== key.inputs) {
        refuse(`the key is for ${key.inputs} public inputs, the statement has ${inputs.length}`);
    }
    const a = decompress(G1, proof.subarray(0, 32), "the proof's point A");
    const b = decompress(G2, proof.subarray(32, 96), "the proof's point B");
    const c = decompress(G1, proof.subarray(96, 128), "the proof's point C");
    // G1 is the whole curve; G2 is not, and snarkjs only looks whether B is on the curve.
    const curve = await curves.getCurveFromName("bn128");
    if (!curve.G2.isZero(curve.G2.timesScalar(curve.G2.fromObject([b.x, b.y, [1n, 0n]]), R))) {
        refuse("the proof's point B is outside of the subgroup");
    }
    const json = { protocol: "groth16", curve: "bn128", pi_a: toJson(G1, a), pi_b: toJson(G2, b),
        pi_c: toJson(G1, c) };
    if (!(await groth16.verify(key.json, inputs.map(String), json))) {
        refuse("the proof does not verify for these public inputs");
    }
}

/** Ends the threads that snarkjs keeps. */
export const release = async () => (await curves.getCurveFromName("bn128")).terminate();

export const groups = { G1, G2 };
