//! The commands that README and guides show are run as they stand there: every line of a `console`
//! block that begins with `$ placet`, in order, in a fresh directory.

mod support;

use std::path::Path;

use support::{BINARY, Scene, workspace};

const ASSET: &str = "\"Example Growth Fund, Class A\"";

/// A document, what has to have happened before some of its commands, and the words in it that
/// stand for something of the reader's: `@label` is what the last command said after that label.
struct Guide {
    path: &'static str,
    before: &'static [(&'static str, &'static [&'static str])],
    words: &'static [(&'static str, &'static str)],
}

/// A network with two attestors, and keys for issuer and agent.
const NETWORK: &[&str] = &[
    "placet network init",
    "placet attestor new --attestor alpha --title \"Alpha KYC\"",
    "placet attestor new --attestor beta --title \"Beta Identity\"",
];

const GUIDES: &[Guide] = &[
    Guide { path: "README.md", before: &[], words: &[] },
    Guide {
        path: "docs/guides/authority.md",
        before: &[("placet", &["placet network init"])],
        words: &[("FILE", "list.csv")],
    },
    Guide {
        path: "docs/guides/attestor.md",
        before: &[
            ("placet", &["placet network init", "placet wallet new --wallet alice"]),
            (
                "placet attestor issue",
                &["placet wallet answer --wallet alice --attestor-id ID --challenge CHALLENGE"],
            ),
        ],
        words: &[
            ("ADDRESS", "@address"),
            ("ID", "@attestor-id"),
            ("CHALLENGE", "@challenge"),
            ("ANSWER", "@answer"),
            ("INDEX", "0"),
        ],
    },
    Guide {
        path: "docs/guides/issuer.md",
        before: &[("placet", NETWORK), ("placet asset", &["placet wallet new --wallet alice"])],
        words: &[("ASSET", ASSET), ("ADDRESS", "alice"), ("HOLDER", "alice")],
    },
    Guide {
        path: "docs/guides/investor.md",
        before: &[
            ("placet", NETWORK),
            ("placet wallet answer", &["placet attestor challenge --attestor beta"]),
            (
                "placet wallet sync",
                &[
                    "placet wallet new --wallet bob",
                    "placet attestor issue --attestor beta --to alice --person docs/examples/alice.toml",
                    "placet issuer new",
                    "placet agent new",
                    "placet asset create --policy docs/examples/policy.toml",
                    "placet asset mint \"Example Growth Fund, Class A\" --to alice 5000",
                ],
            ),
            ("placet wallet refund", &["placet network advance 8d"]),
        ],
        words: &[
            ("ASSET", ASSET),
            ("ADDRESS", "bob"),
            ("ID", "@attestor-id"),
            ("CHALLENGE", "@challenge"),
        ],
    },
];

/// The commands of a document's `console` blocks; a backslash at the end continues a line.
fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let (mut inside, mut continued) = (false, false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = line.trim() == "```console";
            continued = false;
            continue;
        }
        let Some(part) = (if continued { Some(line) } else { line.strip_prefix("$ ") }) else {
            continue;
        };
        if !inside {
            continue;
        }
        let (part, more) = part.strip_suffix('\\').map_or((part, false), |part| (part, true));
        match commands.last_mut().filter(|_| continued) {
            Some(command) => command.push_str(part),
            None => commands.push(part.to_owned()),
        }
        continued = more;
    }
    commands.retain(|command| command.split_whitespace().next() == Some("placet"));
    commands
}

fn shell(scene: &Scene, path: &str, command: &str) -> String {
    let own = Path::new(BINARY).parent().expect("a file is in a directory");
    let inherited = std::env::var("PATH").unwrap_or_default();
    let output = scene
        .program("sh")
        .args(["-c", command])
        .env("PATH", format!("{}:{inherited}", own.display()))
        .output()
        .expect("a shell runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path}: `{command}` failed:\n{errors}");
    String::from_utf8(output.stdout).expect("text is UTF-8")
}

/// What a word of a guide stands for, after the commands so far `said` something.
fn meaning<'a>(guide: &Guide, said: &'a str, word: &'a str) -> &'a str {
    let stands_for = guide.words.iter().find(|(placeholder, _)| *placeholder == word);
    let Some((_, value)) = stands_for else { return word };
    let Some(label) = value.strip_prefix('@') else { return value };
    let labelled = said.lines().filter_map(|line| line.split_once(' '));
    let last = labelled.rev().find(|(first, _)| *first == label);
    last.unwrap_or_else(|| panic!("{}: nothing said {label}", guide.path)).1.trim()
}

fn perform(guide: &Guide) {
    let scene = Scene::new();
    let list =
        "country_numeric,country_alpha3,document_type,document_number\n250,FRA,passport,X1\n";
    std::fs::write(scene.path().join("list.csv"), list).unwrap();
    let text = std::fs::read_to_string(workspace().join(guide.path)).expect(guide.path);
    let commands = commands(&text);
    assert!(!commands.is_empty(), "{} shows no command", guide.path);
    let mut before: Vec<_> = guide.before.iter().collect();
    let mut said = String::new();
    let mut run = |command: &str| {
        let words: Vec<_> = command.split(' ').map(|word| meaning(guide, &said, word)).collect();
        let output = shell(&scene, guide.path, &words.join(" "));
        said.push_str(&output);
    };
    for command in commands {
        while let Some((first, _)) = before.first()
            && command.starts_with(first)
        {
            before.remove(0).1.iter().for_each(|setup| run(setup));
        }
        run(&command);
    }
    assert!(before.is_empty(), "{} no longer has the command {:?}", guide.path, before[0].0);
}

#[test]
fn the_readmes_session_runs() {
    perform(&GUIDES[0]);
}

#[test]
fn the_guides_of_authorities_attestors_and_issuers_run() {
    GUIDES[1..4].iter().for_each(perform);
}

#[test]
fn the_guide_of_investors_runs() {
    perform(&GUIDES[4]);
}

#[test]
fn every_guide_is_run() {
    // These need programs of others; the clients of `.ci/clients` do what they say.
    const ELSEWHERE: [(&str, &str); 4] = [
        ("docs/guides/bench.md", ".ci/clients/bench"),
        ("docs/guides/ceremony.md", ".ci/clients/ceremony"),
        ("docs/guides/evm.md", ".ci/clients/solc"),
        ("docs/guides/verify-a-block.md", ".ci/clients/stranger"),
    ];
    for (guide, client) in ELSEWHERE {
        assert!(workspace().join(guide).exists() && workspace().join(client).exists(), "{guide}");
    }
    for entry in std::fs::read_dir(workspace().join("docs/guides")).unwrap() {
        let name = entry.unwrap().file_name();
        let path = format!("docs/guides/{}", name.to_str().unwrap());
        let elsewhere = ELSEWHERE.iter().any(|(guide, _)| *guide == path);
        let here = GUIDES.iter().any(|guide| guide.path == path);
        assert!(here || elsewhere, "{path} is not run by this test");
    }
}

#[test]
fn the_first_screen_has_the_two_commands() {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let screen: Vec<_> = readme.lines().take(25).collect();
    let has = |command: &str| screen.iter().any(|line| line.trim_start().starts_with(command));
    assert!(has("cargo run --release -- demo"), "how to see it");
    assert!(has("cargo test"), "how to check it");
}

#[test]
fn commands_are_found_in_console_blocks_only() {
    let text = "$ placet a\n```console\n$ placet b \\\n  --c\noutput\n$ cargo x\n```\n```sh\n$ placet d\n```";
    assert_eq!(commands(text), ["placet b   --c"]);
}
