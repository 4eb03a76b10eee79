//! After the last act: all refusals side by side, the register beside the truth, what the
//! authorities saw, and how long it took.

use std::time::Duration;

use ark_bn254::Fr;
use placet_protocol::assertion::{SignedAssertion, Verdict};
use placet_protocol::block::Entry;
use placet_protocol::field::to_hex;
use placet_protocol::genesis::Checkpoint;
use placet_protocol::transaction::{Transaction, TransferBody, TxId};
use placet_protocol::wire::Wire;
use placet_wallet::agent::Register;

use super::books::Books;
use super::cast::Person;
use super::refusals::{Case, Layer};
use super::report::{Page, Report, WIDTH, money, wrap};
use super::secrets::Secrets;
use super::stage::{Stage, fault};
use crate::fail::Result;
use crate::output::Table;

/// Every refusal at both layers.
pub fn table(report: &mut Report) {
    let page = report.page();
    page.section("Refused: at the wallet, and past it");
    page.text(
        "The wallet's own check names the clause before anything is proven. Past the wallet, the \
         attacker goes straight to the authorities. What comes with a forged proof is valid in \
         every public respect, so the ledger can say no more than that the proof is not; a rule \
         enforced in the open has a code of its own, even for a proof that is true.",
    );
    page.line("");
    let mut table = Table::new(&["case", "wallet", "ledger", "proof"], &[]);
    for case in Case::ALL {
        let code = |layer| report.code(*case, layer).to_owned();
        let cells = [
            case.name().into(),
            code(Layer::Wallet),
            code(Layer::Ledger),
            case.proof().name().into(),
        ];
        table.row(cells.to_vec());
    }
    lines(page, &table);
    let tried = report.refused.len();
    let wanted = Case::ALL.len() * 2;
    report.expect(tried == wanted, || format!("{tried} refusals instead of {wanted}"));
}

/// A table with its first line as heading.
fn lines(page: &Page, table: &Table) {
    for (index, line) in table.to_string().lines().enumerate() {
        page.line(&if index == 0 { page.dim(line) } else { line.to_owned() });
    }
}

/// The transfer agent's register beside the truth, and the supply turnstile.
pub fn register(stage: &mut Stage, books: &Books, report: &mut Report) -> Result<()> {
    let register = stage.rebuilt_register()?;
    let differences = compare(stage, books, &register)?;
    report.register_exact = differences.is_empty();
    report.differences.extend(differences);

    let page = report.page();
    page.section("The transfer agent's register");
    page.text(
        "Made anew from the agent's seed and the blocks alone, and so are the five wallets that it \
         is compared with. Names are in the agent's own files; the chain has neither them nor a \
         balance.",
    );
    page.line("");
    let mut table =
        Table::new(&["holder", "balance", "in flight", "held", "document", ""], &[1, 2, 3]);
    for person in Person::ALL {
        let holder = stage.address(person).holder();
        let entry = register.entries.iter().find(|entry| entry.holder == holder);
        let Some(entry) = entry else { continue };
        let holding = entry.holding;
        let known = if entry.subject.is_some() { "known" } else { "-" };
        let exact = if holding == books.holding(person) { "as in truth" } else { "WRONG" };
        table.row(vec![
            person.profile().name.into(),
            money(holding.balance),
            money(holding.in_flight),
            money(holding.held()),
            known.into(),
            exact.into(),
        ]);
    }
    lines(page, &table);
    page.line("");
    let state = stage.public_state()?;
    page.item(
        "turnstile",
        &format!(
            "minted {}, redeemed {}: {} in circulation, of which {} in positions and {} on the way",
            money(books.minted),
            money(books.redeemed),
            money(state.supply),
            money(state.supply - books.on_the_way()),
            money(books.on_the_way()),
        ),
    );
    page.item(
        "holders",
        &format!(
            "{} on the chain, {} in the register",
            state.holders,
            register.entries.iter().filter(|entry| entry.holding.held() > 0).count()
        ),
    );
    Ok(())
}

/// Register, wallets, public counters and books must say the same.
fn compare(stage: &mut Stage, books: &Books, register: &Register) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    if !register.exact {
        differences.push("the agent's register does not explain every transaction".to_owned());
    }
    if register.entries.len() != Person::ALL.len() {
        differences.push(format!("the register has {} holders", register.entries.len()));
    }
    for person in Person::ALL {
        let name = person.first();
        let holder = stage.address(person).holder();
        let Some(entry) = register.entries.iter().find(|entry| entry.holder == holder) else {
            differences.push(format!("{name} is not in the register"));
            continue;
        };
        let subject = person.profile().document().subject();
        let subject = subject.filter(|_| books.has_moved(person));
        if entry.holding != books.holding(person) {
            differences.push(format!("the register is wrong about {name}"));
        }
        if entry.subject != subject {
            differences.push(format!("the register has another document of {name}"));
        }
        let asset = stage.asset;
        let own = stage.holder(person)?.account(asset).map(|account| account.holding);
        for own in [own, stage.restored_holding(person)?] {
            if own != Some(books.holding(person)) {
                differences.push(format!("{name}'s wallet is wrong"));
            }
        }
    }
    let state = stage.public_state()?;
    if state.holders != books.holders() {
        differences.push(format!("the chain counts {} holders", state.holders));
    }
    if state.supply != books.minted - books.redeemed {
        differences.push("the supply is not what was minted less what was redeemed".to_owned());
    }
    Ok(differences)
}

/// A few transfers as the authorities saw them, and a search of every block for what nobody may
/// learn.
pub fn what_authorities_saw(
    stage: &Stage,
    shown: &[TxId],
    (secrets, public_amount): (&Secrets, u64),
    report: &mut Report,
) -> Result<()> {
    let blocks = stage.chain.node().blocks(1).map_err(fault)?;
    let entries = || blocks.iter().flat_map(|block| &block.block.entries);
    let mut lengths: Vec<usize> = entries()
        .filter(|entry| matches!(entry.transaction, Transaction::Transfer(_)))
        .map(|entry| entry.transaction.to_wire().len())
        .collect();
    let (count, bytes) = (lengths.len(), lengths.first().copied().unwrap_or(0));
    lengths.dedup();
    report.expect(lengths.len() == 1, || "transfers differ in length".to_owned());

    let page = report.page();
    page.section("What the authorities saw");
    page.text(&format!(
        "{count} transfers of {bytes} bytes each. Three of them as the authorities keep them, \
         without the sealed box for a receiver; what is for the agent is under one-time pads. One \
         sends, one accepts, one redeems: accepting and redeeming have no other shape, but a \
         redeemed amount is public, and so is a change in the number of holders:",
    ));
    for id in shown {
        let status = stage.executed(*id)?;
        if let Transaction::Transfer(transfer) = &status.entry.transaction {
            page.line("");
            let height = status.location.height;
            page.line(&format!("  {}", page.bold(&format!("block {height}: transfer"))));
            public_fields(page, &transfer.body, *id);
            page.item("asserted", &approvals(&status.entry));
        }
    }
    page.line("");
    let all: Vec<_> = blocks.iter().map(Wire::to_wire).collect();
    let unlisted: Vec<_> = entries()
        .filter(|entry| !matches!(entry.transaction, Transaction::PublishSanctions(_)))
        .map(Wire::to_wire)
        .collect();
    let found = secrets.search(&all, &unlisted);
    // A search that finds nothing must be able to find something.
    let mut public = Secrets::default();
    public.add_amount(public_amount);
    let able = !public.search(&all, &unlisted).is_empty();
    report.expect(able, || "the search does not find what is public".to_owned());
    let state = stage.common_state()?;
    report.expect(state.is_some(), || "the authorities' states differ".to_owned());
    let page = report.page();
    page.text(&format!(
        "All {} blocks, {} kB, were searched for {} names, documents, keys, addresses and \
         transferred amounts, as bytes, in hexadecimal and in decimal: {}. Evelyn's document \
         stands on the published sanctions list and nowhere else.",
        blocks.len(),
        all.iter().map(Vec::len).sum::<usize>() / 1000,
        secrets.len(),
        if found.is_empty() { page.green("none occurs") } else { page.red("SOME OCCUR") }
    ));
    if let Some(state) = state {
        let state = hex::encode(state);
        page.text(&format!(
            "The {} authorities executed every block for themselves and have one state, {}.",
            report.authorities,
            state.get(..16).unwrap_or_default()
        ));
    }
    let occurs = found.into_iter().map(|name| format!("{name} occurs in a block"));
    report.differences.extend(occurs);
    Ok(())
}

/// Everything public about a transfer, long values cut after eight bytes.
fn public_fields(page: &Page, body: &TransferBody, id: TxId) {
    let short = |value: Fr| to_hex(&value).get(..16).unwrap_or_default().to_owned();
    let id = id.to_string();
    page.item("id", id.get(..16).unwrap_or_default());
    page.item(
        "public",
        &format!(
            "asset {}, holders {:+}, redeemed {}",
            short(body.asset.get()),
            body.holders_delta.signed(),
            money(body.redeemed())
        ),
    );
    let (position, delivery) = (body.nf_position.get(), body.nf_delivery.get());
    page.item("spends", &[position, delivery].map(short).join("  "));
    page.item("appends", &body.leaves().map(|leaf| short(leaf.get())).join("  "));
    page.item("for agent", &body.disclosure.map(short).join("  "));
}

/// How many authorities approved at each checkpoint.
fn approvals(entry: &Entry) -> String {
    let count = |checkpoint: Checkpoint| {
        let approves = |signed: &&SignedAssertion| {
            signed.assertion.checkpoint == checkpoint
                && signed.assertion.verdict == Verdict::Approve
        };
        entry.assertions.iter().filter(approves).count()
    };
    Checkpoint::ALL.map(|checkpoint| format!("{checkpoint} {}", count(checkpoint))).join(", ")
}

/// Medians and sizes.
pub fn timings(stage: &Stage, report: &Report, took: Duration) {
    let page = report.page();
    page.section("Timings on this machine");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    page.item("prove", &format!(
        "{:.0} ms, median of {}: native check, {} rows, proof, self-verification; {threads} cores",
        report.prove_ms, stage.proving.len(), report.rows
    ));
    page.item(
        "verify",
        &format!("{:.1} ms, median of {}", report.verify_ms, stage.verifying.len()),
    );
    page.item(
        "all",
        &format!(
            "{:.0} s for {} proofs, {} of them forged",
            took.as_secs_f64(),
            stage.proving.len() + stage.forged,
            stage.forged
        ),
    );
}

/// The last lines.
pub fn verdict(report: &Report) -> String {
    let page = report.page();
    if report.differences.is_empty() {
        let text = format!(
            "Everything came as expected: {} steps done, {} attempts refused at two layers, \
             the register exact.",
            report.accepted.len(),
            Case::ALL.len()
        );
        format!("\n{}", page.green(&wrap(&text, WIDTH).join("\n")))
    } else {
        let lines = report.differences.iter().map(|line| format!("  {line}\n"));
        format!("\n{}\n{}", page.red("Not everything came as expected:"), lines.collect::<String>())
    }
}
