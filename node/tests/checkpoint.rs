//! An authority's own rule: the worked example, and everything that may go wrong with a program or
//! an HTTP address.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use placet_node::checkpoint::{Case, FAILED, HttpRule, Opinion, ProgramRule, Rule, TIMED_OUT};

const ASSET: &str = "05000000000000000000000000000000000000000000000000000000000000aa";

fn case(redeemed: u64) -> Case {
    let text = || "00".repeat(32);
    Case {
        version: 1,
        chain: text(),
        transaction: text(),
        proof_hash: text(),
        asset: ASSET.to_owned(),
        policy: text(),
        position_root: text(),
        delivery_root: text(),
        registry_root: text(),
        sanctions_root: text(),
        nullifiers: [text(), text()],
        commitments: [text(), text(), text()],
        now: 1,
        redeemed,
        holders_delta: -1,
        expiry_height: 9,
        height: 3,
        time: 4,
    }
}

fn code(opinion: &Opinion) -> Option<NonZeroU16> {
    match opinion {
        Opinion::Approve => None,
        Opinion::Reject { code, .. } => Some(*code),
    }
}

fn shell(script: &str, timeout: Duration) -> ProgramRule {
    ProgramRule::new("/bin/sh".into(), vec!["-c".into(), script.into()], timeout)
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(400);

fn example() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("docs/examples/checkpoint/only-small-redemptions.sh")
}

#[test]
fn the_worked_example_judges_by_limit_and_list() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("blocked.txt");
    std::fs::write(&list, "something else\n").unwrap();
    let arguments = vec!["1000".to_owned(), list.display().to_string()];
    let rule = ProgramRule::new(example(), arguments, LONG);
    assert_eq!(rule.ask(&case(0)), Opinion::Approve);
    assert_eq!(rule.ask(&case(1000)), Opinion::Approve);
    assert_eq!(code(&rule.ask(&case(1001))), NonZeroU16::new(2002));
    std::fs::write(&list, format!("{ASSET}\n")).unwrap();
    assert_eq!(code(&rule.ask(&case(0))), NonZeroU16::new(2001));
    // Without its arguments it fails, and that is a rejection.
    let rule = ProgramRule::new(example(), Vec::new(), LONG);
    assert_eq!(code(&rule.ask(&case(0))), Some(FAILED));
}

#[test]
fn whatever_is_no_answer_rejects() {
    for script in [
        "exit 0",
        "echo nonsense",
        r#"echo '{"verdict":"approve"}'; exit 1"#,
        r#"echo '{"verdict":"approve"}{"verdict":"approve"}'"#,
        r#"echo '{"verdict":"reject","code":5}'"#,
        // Far more than an answer may hold.
        r#"while :; do echo '{"verdict":"approve"}'; done"#,
    ] {
        assert_eq!(code(&shell(script, LONG).ask(&case(0))), Some(FAILED), "{script}");
    }
    let missing = ProgramRule::new("/nowhere/at/all".into(), Vec::new(), LONG);
    assert_eq!(code(&missing.ask(&case(0))), Some(FAILED));
}

#[test]
fn a_program_that_hangs_is_killed_with_what_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    // The child holds the program's output open, so nobody sees its end without killing it.
    let script = format!("sleep 1000 & echo $! > {}; wait", file.display());
    assert_eq!(code(&shell(&script, SHORT).ask(&case(0))), Some(TIMED_OUT));
    let pid: u32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    let gone = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        // Killed, and not yet waited for by whoever inherited it.
        Ok(stat) => stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'),
    };
    let end = Instant::now() + LONG;
    while !gone() {
        assert!(Instant::now() < end, "process {pid} was not killed");
        std::thread::sleep(Duration::from_millis(10));
    }
    // One that closes its output and goes on is killed too.
    let closes = r#"echo '{"verdict":"approve"}'; exec >&-; sleep 1000"#;
    assert_eq!(code(&shell(closes, SHORT).ask(&case(0))), Some(TIMED_OUT));
}

/// Answers one request with these bytes, and returns the request.
fn serve(answer: Option<String>) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/judge", listener.local_addr().unwrap());
    let work = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"}") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the request is whole");
            request.extend(&buffer[..read]);
        }
        match answer {
            // Too long an answer is cut off by the other side.
            Some(answer) => drop(stream.write_all(answer.as_bytes())),
            // Never answers, and holds the connection until the other side gives up.
            None => while stream.read(&mut buffer).is_ok_and(|read| read > 0) {},
        }
        String::from_utf8(request).unwrap()
    });
    (address, work)
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn an_http_rule_is_asked_by_post() {
    let approve = r#"{"verdict":"approve"}"#;
    let (address, work) = serve(Some(response("200 OK", approve)));
    assert_eq!(HttpRule::new(address, LONG).ask(&case(7)), Opinion::Approve);
    let request = work.join().unwrap();
    assert!(request.starts_with("POST /judge "), "{request}");
    let body: serde_json::Value =
        serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["redeemed"], 7);
    assert_eq!(body["nullifiers"].as_array().unwrap().len(), 2);
    let reject = r#"{"verdict":"reject","code":4000,"message":"no"}"#;
    let (address, _work) = serve(Some(response("200 OK", reject)));
    assert_eq!(code(&HttpRule::new(address, LONG).ask(&case(0))), NonZeroU16::new(4000));
}

#[test]
fn an_http_rule_that_does_not_answer_well_rejects() {
    let approve = r#"{"verdict":"approve"}"#;
    for answer in [
        response("500 Internal Server Error", approve),
        response("302 Found", approve),
        response("200 OK", "approve"),
        response("200 OK", &format!("{approve}{}", " ".repeat(100_000))),
        "garbage".to_owned(),
    ] {
        let (address, _work) = serve(Some(answer));
        assert_eq!(code(&HttpRule::new(address, LONG).ask(&case(0))), Some(FAILED));
    }
    let (address, _work) = serve(None);
    assert_eq!(code(&HttpRule::new(address, SHORT).ask(&case(0))), Some(TIMED_OUT));
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rule = HttpRule::new(format!("http://{address}/"), LONG);
    assert_eq!(code(&rule.ask(&case(0))), Some(FAILED));
}
