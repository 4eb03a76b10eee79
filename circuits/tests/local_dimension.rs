use ark_relations::gr1cs::ConstraintSystem;
use placet_circuits::analysis::{LocalMap, Matrices};
use placet_circuits::transfer::synthesize_traced;
use placet_protocol::example::{Branches, Example};

#[test]
fn explore() {
    let mut never: Option<std::collections::BTreeSet<usize>> = None;
    let mut tr = None;
    for branches in Branches::all() {
        let example = Example::new(branches);
        let cs = ConstraintSystem::new_ref();
        let trace = synthesize_traced(cs.clone(), &example.public, &example.witness).unwrap();
        let m = Matrices::extract(&cs).unwrap();
        let map = LocalMap::at(&m, m.assignment()).unwrap();
        let inputs: Vec<usize> = trace.inputs.iter().map(|v| m.column(*v).unwrap()).collect();
        let public: Vec<usize> = m.public_columns().collect();
        let b: std::collections::BTreeSet<_> = map.redundant_rows(&public).into_iter().collect();
        let a: std::collections::BTreeSet<_> = map.redundant_rows(&inputs).into_iter().collect();
        let both: std::collections::BTreeSet<_> = a.intersection(&b).copied().collect();
        let n = never.get_or_insert(both.clone());
        *n = n.intersection(&both).copied().collect();
        if tr.is_none() {
            let mut by = std::collections::BTreeMap::new();
            for r in &both {
                *by.entry(trace.clause_of(*r)).or_insert(0) += 1;
            }
            println!("{branches:?} A {} B {} both {} {by:?}", a.len(), b.len(), both.len());
            tr = Some(trace);
        }
    }
    let mut by = std::collections::BTreeMap::new();
    for r in &never.clone().unwrap() {
        by.entry(tr.as_ref().unwrap().clause_of(*r)).or_insert(vec![]).push(*r);
    }
    println!("never {}", never.unwrap().len());
    for (k, v) in by {
        println!("{k:?} {} {:?}", v.len(), &v[..v.len().min(20)]);
    }
    for b in &tr.unwrap().blocks {
        println!("{b:?}");
    }
}
