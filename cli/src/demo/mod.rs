//! `placet demo`: the whole product in one run, with real proofs and the real OFAC document list.
//! This file is the story; `cast` has the people, `stage` the network and the clients, `proving`
//! their proofs, `export` files of one of them, `refusals` the attempts that must fail, `books` the
//! truth, `closing` what is left
//! to see in the end, `secrets` what must not be seen.

mod books;
mod cast;
mod closing;
mod export;
mod proving;
mod refusals;
mod report;
mod secrets;
mod stage;

use std::path::Path;
use std::time::Instant;

use placet_protocol::policy::Rule;
use placet_protocol::transaction::{PublishedPolicy, TxId};
use placet_prover::kernel::Tables;
use placet_wallet::policy_file::{AssetTerms, describe};

use crate::fail::Result;
use crate::output;
use crate::progress::Progress;
use crate::time;
use books::Books;
use cast::{DECIMALS, Person, categories, cents, days};
use export::Export;
use refusals::{Case, at_ledger, at_wallet, forged, tell};
use report::{Report, median_ms, money};
use secrets::Secrets;
use stage::{Done, Place, Stage, surprise};

use Person::{Amelie, Bruno, Carol, Daichi, Evelyn};

/// Amounts that are sent; none of them is public.
const BLOCK_TRADE: u64 = cents(610, 40);
const TRANSFER: u64 = cents(410, 25);
const ONWARD: u64 = cents(160, 10);
const AFTER_LOCK: u64 = cents(50, 5);
/// Amounts that are tried and refused.
const WHILE_EXPIRED: u64 = cents(25, 70);
const WHILE_REVOKED: u64 = cents(20, 35);
/// Allotments and the redemption; their amounts are public.
const ALLOTTED_TO_AMELIE: u64 = cents(900, 0);
const SECOND_TRANCHE: u64 = cents(150, 0);
const ALLOTTED_TO_CAROL: u64 = cents(250, 0);
const ALLOTTED_TO_DAICHI: u64 = cents(120, 0);
const ALLOTTED_TO_EVELYN: u64 = cents(80, 0);
const REDEEMED: u64 = cents(100, 0);
/// Days for which the policy locks what a resident of the United States acquires.
const LOCK_DAYS: u64 = 180;

/// Runs the demo in a directory that was named, or in a temporary one. One transfer is left in
/// `export`, if that is named.
///
/// # Errors
/// If anything came otherwise than expected; the report was printed then.
pub fn run(
    data: Option<&Path>,
    export: Option<&Path>,
    json: bool,
    tables: Tables,
    progress: Progress,
) -> Result<output::Report> {
    let begun = Instant::now();
    let export = export.map(Export::new).transpose()?;
    let place = Place::new(data)?;
    let report = Report::new(json);
    report.page().line(&report.page().bold("Placet: hidden transfers of a regulated security"));
    report.page().text(
        "Four authorities assent to every transfer without learning who trades, how much, or why \
         they are eligible. Proofs, keys and the sanctions list are real; the people are invented.",
    );
    let stage = Stage::set_up(&place, tables, progress)?;
    let mut play = Play { stage, books: Books::default(), executed: Vec::new(), report };
    play.perform(export)?;
    play.finish(begun, json)
}

/// The demo while it runs.
struct Play {
    stage: Stage,
    books: Books,
    executed: Vec<(&'static str, TxId)>,
    report: Report,
}

impl Play {
    fn perform(&mut self, export: Option<Export>) -> Result<()> {
        let policy = self.introduce()?;
        self.report.page().section("What happens");
        self.first_day()?;
        self.second_week(policy, export)?;
        self.months_later()
    }

    // --- before the curtain ---

    fn introduce(&mut self) -> Result<PublishedPolicy> {
        let standing = self.stage.chain.node().status().map_err(stage::fault)?;
        self.report.authorities = standing.authorities;
        self.report.sanctions_entries = self.stage.sanctions_entries;
        self.report.rows = self.stage.rows;
        let page = self.report.page();
        page.section("Who takes part");
        let entries = self.stage.sanctions_entries;
        page.item(
            "authorities",
            &format!(
                "{} in this process, a block is final at {}; they published the OFAC list, {entries} \
                 distinct documents",
                standing.authorities, standing.quorum
            ),
        );
        page.item("attestors", &format!("{} and {}", cast::IDENTITY_PROVIDER, cast::ACCREDITOR));
        page.item("agent", &format!("{}, keeps the legal register", cast::AGENT));
        for person in Person::ALL {
            let profile = person.profile();
            let more = if person == Evelyn { "; her passport is on the list" } else { "" };
            let categories = profile.categories.join(", ");
            page.item(
                person.first(),
                &format!(
                    "{}, {categories}, capital EUR {}{more}",
                    profile.country,
                    money(profile.capital)
                ),
            );
        }
        for person in Person::ALL {
            let profile = person.profile();
            self.stage.identify(person)?;
            self.stage.accredit(person, profile.categories(), profile.capital)?;
        }
        let policy = self.stage.register()?;
        let page = self.report.page();
        page.section("The policy, proven with every transfer");
        let terms = AssetTerms { decimals: DECIMALS, count_holders: true };
        let names = |id| self.stage.attestor_name(id).map(str::to_owned);
        for line in describe(&policy, terms, &names).lines() {
            page.text_at(line);
        }
        Ok(policy)
    }

    fn date(&self, text: &str) -> Result<()> {
        let now = time::format(self.stage.now()?);
        self.report
            .page()
            .date(&format!("{}  {text}", now.get(..16).unwrap_or(&now).replace('T', " ")));
        Ok(())
    }

    /// Moves the clock and says so.
    fn later(&self, by: u64, text: &str) -> Result<()> {
        self.stage.advance(by)?;
        self.date(text)
    }

    /// A step that worked: into the report, with what the chain shows of it.
    fn done(&mut self, step: &'static str, done: Done, deed: &str) -> Result<()> {
        let shows = self.stage.shows(done.id)?;
        self.executed.push((step, done.id));
        self.report.accept(step, done.took, deed, &shows);
        Ok(())
    }

    /// A step whose effect is told in the deed itself.
    fn decree(
        &mut self,
        step: &'static str,
        deed: &str,
        act: impl FnOnce(&mut Stage) -> Result<()>,
    ) -> Result<()> {
        let begun = Instant::now();
        act(&mut self.stage)?;
        self.report.accept(step, begun.elapsed(), deed, "");
        Ok(())
    }

    fn mint(&mut self, step: &'static str, to: Person, amount: u64) -> Result<()> {
        let done = self.stage.mint(to, amount)?;
        self.books.mint(amount);
        let deed = format!(
            "The issuer allots {} {} units; the agent countersigns",
            to.first(),
            money(amount)
        );
        self.done(step, done, &deed)
    }

    fn accept(&mut self, step: &'static str, who: Person, amount: u64, deed: &str) -> Result<()> {
        let request = self.stage.acceptance(who)?;
        let lock = (who == Carol).then_some(self.stage.now()? + days(LOCK_DAYS));
        let done = self.stage.transfer(who, &request)?;
        self.books.accept(who, amount, lock);
        self.done(step, done, deed)
    }

    fn send(
        &mut self,
        step: &'static str,
        (from, to): (Person, Person),
        amount: u64,
    ) -> Result<()> {
        let request = self.stage.payment(to, amount)?;
        let done = self.stage.transfer(from, &request)?;
        self.books.send(from, amount);
        let deed = format!("{} sends {} {}", from.first(), to.first(), money(amount));
        self.done(step, done, &deed)
    }

    // --- the acts ---

    fn first_day(&mut self) -> Result<()> {
        self.date("the first allotments")?;
        self.mint("mint", Amelie, ALLOTTED_TO_AMELIE)?;
        self.accept(
            "accept",
            Amelie,
            ALLOTTED_TO_AMELIE,
            "Amélie proves that she may hold them and accepts",
        )?;
        self.carol_qualifies()?;
        self.locked()?;
        self.limits()?;
        self.outsiders()
    }

    /// A French professional client is not a US accredited investor, and capital counts.
    fn carol_qualifies(&mut self) -> Result<()> {
        self.mint("mint-to-carol", Carol, ALLOTTED_TO_CAROL)?;
        let Self { stage, report, .. } = self;
        let request = stage.acceptance(Carol)?;
        forged(stage, report, Case::Category, (Carol, &request), refusals::add_category)?;
        tell(
            report,
            Case::Category,
            "Carol is a professional client in Europe, not accredited at home",
        );

        let accredited = categories(&["us-accredited-501a"]);
        stage.accredit(Carol, accredited, 9_000_000)?;
        forged(stage, report, Case::Capital, (Carol, &request), refusals::inflate_capital)?;
        tell(
            report,
            Case::Capital,
            "Carol is accredited, but a tenth of EUR 90,000.00 is too little",
        );

        let capital = Carol.profile().capital;
        stage.accredit(Carol, accredited, capital)?;
        self.accept(
            "accept-when-eligible",
            Carol,
            ALLOTTED_TO_CAROL,
            "EUR 400,000.00 attested: the same acceptance goes through, locked for 180 days",
        )
    }

    fn locked(&mut self) -> Result<()> {
        let Self { stage, report, .. } = self;
        let request = stage.payment(Amelie, AFTER_LOCK)?;
        forged(stage, report, Case::LockUp, (Carol, &request), refusals::hide_lock)?;
        tell(report, Case::LockUp, "Carol would sell during her lock-up");
        Ok(())
    }

    /// More than Bruno may hold comes back to Amélie, who meanwhile cannot use the room.
    fn limits(&mut self) -> Result<()> {
        self.send("transfer-over-the-limit", (Amelie, Bruno), BLOCK_TRADE)?;
        let Self { stage, report, .. } = self;
        let request = stage.acceptance(Bruno)?;
        forged(stage, report, Case::Limit, (Bruno, &request), refusals::raise_limit)?;
        tell(report, Case::Limit, "Bruno may hold 500.00 at most, so he cannot take 610.40 in");

        self.mint("mint-second-tranche", Amelie, SECOND_TRANCHE)?;
        let Self { stage, report, .. } = self;
        let request = stage.acceptance(Amelie)?;
        forged(stage, report, Case::Parking, (Amelie, &request), refusals::hide_in_flight)?;
        tell(
            report,
            Case::Parking,
            "Amélie parks 610.40 in flight; 150.00 more make 1,050.00 of 1,000.00",
        );
        Ok(())
    }

    /// Two people who must not acquire at all, and a borrowed credential.
    fn outsiders(&mut self) -> Result<()> {
        self.mint("mint-to-daichi", Daichi, ALLOTTED_TO_DAICHI)?;
        self.mint("mint-to-evelyn", Evelyn, ALLOTTED_TO_EVELYN)?;
        let Self { stage, report, .. } = self;
        let hers = stage.payment(Bruno, 1)?;
        let papers = stage.draft(Amelie, &hers)?;

        let request = stage.acceptance(Daichi)?;
        forged(stage, report, Case::Barred, (Daichi, &request), |draft| {
            refusals::borrow_rule(draft, &papers);
        })?;
        tell(report, Case::Barred, "Daichi lives in Japan, where the asset is not offered");

        let request = stage.acceptance(Evelyn)?;
        forged(stage, report, Case::Sanctioned, (Evelyn, &request), |draft| {
            refusals::borrow_gap(draft, &papers);
        })?;
        tell(report, Case::Sanctioned, "Evelyn's passport is on the OFAC list");
        refusals::borrowed_credential(stage, report, (Evelyn, &request), (Amelie, &hers))?;
        tell(report, Case::Borrowed, "Evelyn borrows Amélie's credential");
        Ok(())
    }

    fn second_week(&mut self, policy: PublishedPolicy, export: Option<Export>) -> Result<()> {
        self.later(days(8), "the deadline of Amélie's delivery has passed")?;
        let cm = self.stage.last_sent(Amelie)?;
        let request = self.stage.refund(cm);
        let done = self.stage.transfer(Amelie, &request)?;
        self.books.refund(Amelie, BLOCK_TRADE);
        self.done("refund", done, "Amélie takes her 610.40 back: Bruno could not accept them")?;

        self.stage.export = export;
        self.send("transfer", (Amelie, Bruno), TRANSFER)?;
        self.accept(
            "accept-transfer",
            Bruno,
            TRANSFER,
            "Bruno accepts: 410.25 are within his limit",
        )?;
        let settle = self.stage.settlement();
        let done = self.stage.transfer(Amelie, &settle)?;
        self.books.settle(Amelie, TRANSFER);
        self.done(
            "settlement",
            done,
            "Amélie's wallet settles: nothing of hers is in flight any more",
        )?;
        self.double_spend()?;
        self.fourth_holder(policy)?;
        self.freeze()
    }

    fn double_spend(&mut self) -> Result<()> {
        let request = self.stage.acceptance(Amelie)?;
        let draft = self.stage.draft(Amelie, &request)?;
        let kept = refusals::keep(&draft);
        self.accept(
            "accept-second-tranche",
            Amelie,
            SECOND_TRANCHE,
            "Amélie accepts the second tranche: the same that was refused while she parked",
        )?;
        let Self { stage, report, .. } = self;
        refusals::double_spend(stage, report, Amelie, kept)?;
        tell(report, Case::DoubleSpend, "Amélie takes the same 150.00 in once more");
        Ok(())
    }

    fn fourth_holder(&mut self, mut policy: PublishedPolicy) -> Result<()> {
        let (japan, rule): (_, Rule) = cast::japan();
        policy.rules.insert(japan, rule);
        let second = policy.clone();
        self.decree("set-policy", "The issuer admits residents of Japan: version 2", |stage| {
            stage.set_policy(second)
        })?;
        let request = self.stage.acceptance(Daichi)?;
        // The cap is no clause of the statement: the proof is as good before it is raised as after.
        let begun = Instant::now();
        let draft = self.stage.draft(Daichi, &request)?;
        let transaction = self.stage.prove_draft(draft)?;
        let proving = begun.elapsed();
        let Self { stage, report, .. } = self;
        at_wallet(stage, report, Case::Holders, Daichi, &request)?;
        at_ledger(stage, report, Case::Holders, &transaction)?;
        tell(report, Case::Holders, "Daichi would be the fourth holder of three");

        policy.max_holders = Some(4);
        self.decree("raise-cap", "The issuer allows a fourth holder: version 3", |stage| {
            stage.set_policy(policy)
        })?;
        let begun = Instant::now();
        let id = self.stage.submit(Daichi, transaction)?;
        self.books.accept(Daichi, ALLOTTED_TO_DAICHI, None);
        let done = Done { id, took: proving + begun.elapsed() };
        self.done(
            "accept-under-raised-cap",
            done,
            "Daichi accepts: the very bytes that were refused are executed now",
        )
    }

    fn freeze(&mut self) -> Result<()> {
        let request = self.stage.payment(Daichi, ONWARD)?;
        let begun = Instant::now();
        let transaction = self.stage.prove(Bruno, &request)?;
        let proving = begun.elapsed();
        self.decree("freeze", "A court order: the agent freezes Bruno's position", |stage| {
            stage.set_frozen(Bruno, true)
        })?;
        let Self { stage, report, .. } = self;
        at_wallet(stage, report, Case::Frozen, Bruno, &request)?;
        at_ledger(stage, report, Case::Frozen, &transaction)?;
        tell(report, Case::Frozen, "Bruno would pass a part of his units on to Daichi");
        self.decree("release", "The order is lifted: the agent releases the position", |stage| {
            stage.set_frozen(Bruno, false)
        })?;
        let begun = Instant::now();
        let id = self.stage.submit(Bruno, transaction)?;
        self.books.send(Bruno, ONWARD);
        let done = Done { id, took: proving + begun.elapsed() };
        let deed = format!("Bruno passes {} of his 410.25 units on to Daichi", money(ONWARD));
        self.done("partial-onward-transfer", done, &deed)?;
        self.accept("accept-onward-transfer", Daichi, ONWARD, "Daichi accepts")
    }

    fn months_later(&mut self) -> Result<()> {
        self.later(days(91), "Bruno's identity credential was good for 90 days")?;
        let request = self.stage.payment(Daichi, WHILE_EXPIRED)?;
        let Self { stage, report, .. } = self;
        forged(stage, report, Case::Expired, (Bruno, &request), |_| {})?;
        tell(report, Case::Expired, "Bruno's credential has expired");
        self.decree(
            "renew",
            "Lantern sees Bruno's passport again and issues a new one",
            |stage| stage.identify(Bruno),
        )?;
        let request = self.stage.redemption(REDEEMED)?;
        let done = self.stage.transfer(Bruno, &request)?;
        self.books.settle(Bruno, ONWARD);
        self.books.redeem(Bruno, REDEEMED);
        self.done(
            "redemption",
            done,
            "Bruno redeems 100.00, countersigned by the agent, and settles on the way",
        )?;

        self.later(days(LOCK_DAYS - 99 + 1), "Carol's lock-up has ended")?;
        self.books.unlock(Carol);
        self.send("transfer-after-lock-up", (Carol, Amelie), AFTER_LOCK)?;
        self.revocation()
    }

    fn revocation(&mut self) -> Result<()> {
        let request = self.stage.payment(Carol, WHILE_REVOKED)?;
        let before = self.stage.draft(Amelie, &request)?;
        self.decree("revoke", "Amélie reports her passport stolen: Lantern revokes", |stage| {
            stage.revoke(Amelie)
        })?;
        let window = self.stage.chain.node().genesis().params.root_window;
        self.later(window + 1, "the window of the old registry root has closed")?;
        let request = self.stage.payment(Carol, WHILE_REVOKED)?;
        let Self { stage, report, .. } = self;
        refusals::revoked(stage, report, (Amelie, &request), &before)?;
        tell(report, Case::Revoked, "Amélie's key would send 20.35 with the revoked credential");
        Ok(())
    }

    // --- after the curtain ---

    fn secrets(&mut self) -> Result<Secrets> {
        let mut secrets = Secrets::default();
        for person in Person::ALL {
            secrets.add_person(person, self.stage.holder(person)?, person == Evelyn);
        }
        for amount in [BLOCK_TRADE, TRANSFER, ONWARD, AFTER_LOCK, WHILE_EXPIRED, WHILE_REVOKED] {
            secrets.add_amount(amount);
        }
        Ok(secrets)
    }

    fn finish(mut self, begun: Instant, json: bool) -> Result<output::Report> {
        self.report.prove_ms = median_ms(&self.stage.proving);
        self.report.verify_ms = median_ms(&self.stage.verifying);
        closing::table(&mut self.report);
        closing::register(&mut self.stage, &self.books, &mut self.report)?;
        let secrets = self.secrets()?;
        let steps = ["transfer", "accept-transfer", "redemption"];
        self.executed.retain(|(step, _)| steps.contains(step));
        let shown: Vec<_> = self.executed.iter().map(|(_, id)| *id).collect();
        let wanted = (&secrets, REDEEMED);
        closing::what_authorities_saw(&self.stage, &shown, wanted, &mut self.report)?;
        closing::timings(&self.stage, &self.report, begun.elapsed());
        let text = closing::verdict(&self.report);
        let mut json_report = self.report.json();
        let mut text = text;
        if let Some(exported) = &self.stage.exported {
            json_report["exported"] = exported.json();
            text = format!("{text}\n{}", exported.text());
        }
        let printed = output::Report::new(text, json_report);
        if self.report.differences.is_empty() {
            return Ok(printed);
        }
        printed.print(json)?;
        Err(surprise(self.report.differences.join("; ")))
    }
}
