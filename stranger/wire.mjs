// The building blocks of the encoding, specification §13.1: integers little-endian and of fixed
// width, text and lists behind a u32 count with a bound, one byte for what is optional. A type is a
// function that takes a Reader and returns the value, or throws Refused.

import { createHash } from "node:crypto";

/** Why something is not accepted. Everything else that is thrown is a defect of this program. */
export class Refused extends Error {}

export function refuse(message) {
    throw new Refused(message);
}

/** SHA-256 of the parts one behind the other; texts in UTF-8. */
export function sha256(...parts) {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest();
}

export const hex = (bytes) => Buffer.from(bytes).toString("hex");

/** 32 bytes from 64 hexadecimal digits. */
export function fromHex(text, what) {
    if (typeof text !== "string" || !/^[0-9a-fA-F]{64}$/.test(text)) {
        refuse(`${what} must be written as 64 hexadecimal digits`);
    }
    return Buffer.from(text, "hex");
}

/** The unsigned integer of some bytes, least significant first. */
export const fromLittleEndian = (bytes) =>
    BigInt("0x" + (hex(Buffer.from(bytes).reverse()) || "0"));

/** The bytes of an unsigned integer, least significant first. */
export function littleEndian(value, length) {
    const digits = BigInt(value).toString(16).padStart(2 * length, "0");
    if (digits.length > 2 * length) refuse(`${value} does not fit ${length} bytes`);
    return Buffer.from(digits, "hex").reverse();
}

/** Reads bytes one value after the other. No length is believed before it was compared with what
 * is there. */
export class Reader {
    constructor(bytes) {
        this.bytes = bytes;
        this.at = 0;
    }
    get left() {
        return this.bytes.length - this.at;
    }
    take(length) {
        if (length > this.left) refuse("it ends too early: the file is cut off");
        this.at += length;
        return this.bytes.subarray(this.at - length, this.at);
    }
    /** Refuses bytes that are left. */
    end() {
        if (this.left !== 0) refuse(`${this.left} bytes are left behind its end`);
    }
}

/** A complete encoding of a type. */
export function decode(type, bytes) {
    const reader = new Reader(bytes);
    const value = type(reader);
    reader.end();
    return value;
}

// --- types ---

export const bytes = (length) => (reader) => reader.take(length);
export const u8 = (reader) => reader.take(1)[0];
export const u16 = (reader) => reader.take(2).readUInt16LE();
export const u32 = (reader) => reader.take(4).readUInt32LE();
export const u64 = (reader) => reader.take(8).readBigUInt64LE();
export const bool = (reader) => enumeration(2)(reader) === 1;

/** One byte below `count`. */
export const enumeration = (count) => (reader) => {
    const value = u8(reader);
    return value < count ? value : refuse(`an unknown tag ${value} where there are ${count}`);
};

/** A value that must satisfy a condition. */
export const where = (type, holds, what) => (reader) => {
    const value = type(reader);
    return holds(value) ? value : refuse(`a value is out of range: ${what}`);
};

/** Bytes with their number, at most `longest`. */
export const blob = (longest) => (reader) => {
    const length = u32(reader);
    return length <= longest ? reader.take(length)
        : refuse(`a length of ${length} bytes where ${longest} are allowed`);
};

export const text = (longest) => (reader) => {
    const encoded = blob(longest)(reader);
    try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(encoded);
    } catch {
        return refuse("a text is not UTF-8");
    }
};

export const list = (type, most) => (reader) => {
    const count = u32(reader);
    if (count > most) refuse(`a list of ${count} where ${most} are allowed`);
    return Array.from({ length: count }, () => type(reader));
};

/** A list whose items rise strictly by `key`: bytes as bytes, numbers as numbers. */
export const ascending = (type, most, key = (item) => item) =>
    where(list(type, most), (items) => items.every((item, i) =>
        i === 0 || compare(key(items[i - 1]), key(item)) < 0), "a list is not ascending");

export const optional = (type) => (reader) => (bool(reader) ? type(reader) : null);

/** Fields in order. `raw` has the bytes of the whole structure. */
export const struct = (fields) => (reader) => {
    const begin = reader.at;
    const value = {};
    for (const [name, type] of Object.entries(fields)) value[name] = type(reader);
    value.raw = reader.bytes.subarray(begin, reader.at);
    return value;
};

/** The order of lists: of bytes from the first one on, of numbers by size. */
export function compare(a, b) {
    if (a instanceof Uint8Array) return Buffer.compare(a, b);
    return a < b ? -1 : a > b ? 1 : 0;
}
