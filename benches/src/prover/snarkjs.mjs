// Proves with snarkjs as often as it is asked to; one JSON value a line in and out. Arguments: the
// directory of the package, the key, the witness, and how many threads there are. The curve stays
// built between proofs, and both files are in memory.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const begin = () => ({ wall: performance.now(), cpu: process.cpuUsage() });
const since = ({ wall, cpu }) => {
  const { user, system } = process.cpuUsage(cpu);
  return { wall_ms: performance.now() - wall, cpu_ms: (user + system) / 1000 };
};
const peak = () => {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
  } catch {
    return null;
  }
};

const [home, zkeyFile, wtnsFile, threads] = process.argv.slice(-4);
try {
  const { groth16 } = await import(pathToFileURL(join(home, "main.js")).href);
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  const started = begin();
  const zkey = { type: "mem", data: new Uint8Array(readFileSync(zkeyFile)) };
  const wtns = { type: "mem", data: new Uint8Array(readFileSync(wtnsFile)) };
  const options = threads === "1" ? { singleThread: true } : undefined;
  // Builds the curve and compiles it: not part of any round.
  await groth16.prove(zkey, wtns, undefined, options);
  say({ is: "ready", preparation: since(started), table_bytes: 0, version });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    if (request.do === "end") {
      say({ is: "end", peak_kib: peak() });
      break;
    }
    const start = begin();
    const { proof } = await groth16.prove(zkey, wtns, undefined, options);
    say({ is: "proof", took: since(start), witness_ms: null, proof: JSON.stringify(proof) });
  }
} catch (error) {
  say({ is: "failed", reason: String(error) });
}
process.exit();
