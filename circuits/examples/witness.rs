//! How long the witness of a transfer takes: native check, plain arithmetic, arkworks' synthesis,
//! and the evaluation of the matrices that it leaves to the prover. Interleaved in one run, on one
//! core; trust the ratios.
//!
//! `cargo run -p placet-circuits --example witness [part of a step's name]`

use std::hint::black_box;
use std::time::{Duration, Instant};

use ark_bn254::Fr;
use placet_circuits::assign;
use placet_circuits::circuit::{Record, matrices, synthesize};
use placet_protocol::example::{Branches, Example};
use placet_protocol::transfer::{Mode, Transfer, check};

const ROUNDS: usize = 100;

fn main() {
    let example = Example::new(Branches {
        genesis: false,
        mode: Mode::Accept,
        selective: true,
        capital_rule: true,
        count_holders: true,
        lockup: true,
    });
    let (public, witness) = (&example.public, &example.witness);
    let cs = synthesize::<Transfer>(public, witness, Record::Constraints).expect("it is built");
    let [a, b, _] = matrices(&cs).expect("it has matrices");
    let wires = assign::<Transfer>(public, witness).expect("it is built");

    let steps: [(&str, &dyn Fn()); 4] = [
        ("native check", &|| {
            check(black_box(public), witness).expect("it holds");
        }),
        ("assign", &|| {
            black_box(assign::<Transfer>(black_box(public), witness).expect("it is built"));
        }),
        ("synthesis", &|| {
            let built = synthesize::<Transfer>(black_box(public), witness, Record::AssignmentOnly);
            black_box(built.expect("it is built"));
        }),
        ("rows of A and B", &|| {
            for row in a.iter().chain(&b) {
                let value: Fr = row.iter().map(|(factor, wire)| wires.wires[*wire] * factor).sum();
                black_box(value);
            }
        }),
    ];
    let only = std::env::args().nth(1).unwrap_or_default();
    let steps: Vec<_> = steps.into_iter().filter(|(name, _)| name.contains(&only)).collect();
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, step), times) in steps.iter().zip(&mut times) {
            let start = Instant::now();
            step();
            times.push(start.elapsed());
        }
    }
    println!("{:<18}{:>10}{:>10}   of {ROUNDS} rounds", "", "min ms", "median ms");
    for ((name, _), times) in steps.iter().zip(&mut times) {
        times.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!("{name:<18}{:>10.2}{:>10.2}", ms(times[0]), ms(times[ROUNDS / 2]));
    }
}
