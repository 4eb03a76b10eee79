//! Tables in a file: what is mapped proves like what was built, and nothing else is believed.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use ark_bn254::{Bn254, Fr};
use ark_groth16::r1cs_to_qap::LibsnarkReduction;
use ark_groth16::{Groth16, Proof, ProvingKey};
use ark_std::UniformRand;
use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use placet_kernel::file::{
    FileError, Stage, VERSION, companions, describe, file_name, open, ready,
};
use placet_kernel::{Kernel, Matrices, Tables};
use sha2::{Digest, Sha256};
use support::Random;

struct Scene {
    dir: tempfile::TempDir,
    matrices: Arc<Matrices>,
    system: Random,
    key: ProvingKey<Bn254>,
    /// r and s, and the library's proof with them.
    blinding: (Fr, Fr),
    expected: Proof<Bn254>,
}

impl Scene {
    fn new(rows: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(rows as u64);
        let system = Random::new(rows, 2, &mut rng);
        let key = support::key(&system, &mut rng);
        let (r, s) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
        let expected =
            Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
                &key,
                r,
                s,
                &system.matrices.rows,
                system.matrices.instance,
                rows,
                &system.wires,
            )
            .unwrap();
        let matrices = Arc::new(system.matrices.clone());
        Self {
            dir: tempfile::tempdir().unwrap(),
            matrices,
            system,
            key,
            blinding: (r, s),
            expected,
        }
    }

    fn path(&self, tables: Tables) -> PathBuf {
        self.dir.path().join("tables").join(file_name("key", tables))
    }

    fn open(&self, tables: Tables) -> Result<Kernel, FileError> {
        open(&self.path(tables), &self.key, &self.matrices, tables)
    }

    /// Ready tables, proven with, and which stages were seen.
    fn ready(&self, tables: Tables) -> Seen {
        let seen = Seen::default();
        let kernel =
            ready(&self.path(tables), &self.key, &self.matrices, tables, &|s| seen.note(&s));
        self.proves(&kernel.unwrap());
        seen
    }

    fn proves(&self, kernel: &Kernel) {
        let (r, s) = self.blinding;
        assert_eq!(kernel.prove(&self.system.wires, r, s), self.expected);
    }
}

#[derive(Default)]
struct Seen {
    built: AtomicUsize,
    unusable: AtomicUsize,
    not_saved: AtomicUsize,
}

impl Seen {
    fn note(&self, stage: &Stage<'_>) {
        match stage {
            Stage::Building { done, all } if done == all => &self.built,
            Stage::Unusable(_) => &self.unusable,
            Stage::NotSaved(_) => &self.not_saved,
            _ => return,
        }
        .fetch_add(1, Ordering::Relaxed);
    }
    /// Built, unusable, not saved.
    fn counts(&self) -> [usize; 3] {
        [&self.built, &self.unusable, &self.not_saved].map(|count| count.load(Ordering::Relaxed))
    }
}

/// Writes a header checksum that fits.
fn seal(file: &mut [u8]) {
    let checksum = Sha256::digest(&file[..224]);
    file[224..256].copy_from_slice(&checksum);
}

/// Writes checksums that fit, of a file of less than a mebibyte.
fn seal_all(file: &mut [u8]) {
    let checksum = Sha256::digest(Sha256::digest(&file[256..]));
    file[104..136].copy_from_slice(&checksum);
    seal(file);
}

#[test]
fn mapped_tables_prove_like_those_that_were_built() {
    for rows in [1, 60, 300] {
        let scene = Scene::new(rows);
        for tables in Tables::ALL {
            assert_eq!(scene.ready(tables).counts(), [1, 0, 0], "built the first time");
            assert_eq!(scene.ready(tables).counts(), [0, 0, 0], "and never again");
            let mapped = scene.open(tables).unwrap();
            scene.proves(&mapped);
            let path = scene.path(tables);
            let described = describe(&path).unwrap();
            assert_eq!((described.tables, described.source), (tables, mapped.source()));
            assert_eq!(described.length, path.metadata().unwrap().len());
            assert!(mapped.memory() < described.length);
            let [_, new] = companions(&path);
            assert!(!new.exists());
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
    }
}

#[test]
fn a_change_of_any_byte_is_found() {
    let scene = Scene::new(3);
    scene.ready(Tables::None);
    let path = scene.path(Tables::None);
    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(&path, bad).unwrap();
        assert!(scene.open(Tables::None).is_err(), "byte {at} of {}", good.len());
    }
    assert_eq!(scene.ready(Tables::None).counts(), [1, 1, 0], "the last one is replaced");
    assert_eq!(std::fs::read(&path).unwrap(), good);
}

#[test]
fn a_file_of_another_length_is_found() {
    let scene = Scene::new(3);
    scene.ready(Tables::None);
    let path = scene.path(Tables::None);
    let good = std::fs::read(&path).unwrap();
    for length in [0, 1, 7, 8, 12, 255, 256, 257, 320, good.len() / 2, good.len() - 1] {
        std::fs::write(&path, &good[..length]).unwrap();
        let error = scene.open(Tables::None).unwrap_err();
        assert!(matches!(error, FileError::Header | FileError::Length), "{length}: {error}");
        assert_eq!(scene.ready(Tables::None).counts(), [1, 1, 0], "{length}");
    }
    std::fs::write(&path, [&good[..], &[0]].concat()).unwrap();
    assert!(matches!(scene.open(Tables::None), Err(FileError::Length)));
    assert_eq!(scene.ready(Tables::None).counts(), [1, 1, 0]);
}

#[test]
fn counts_and_wires_are_not_believed_because_their_checksum_fits() {
    let scene = Scene::new(3);
    scene.ready(Tables::None);
    let path = scene.path(Tables::None);
    let good = std::fs::read(&path).unwrap();
    seal_all(&mut good.clone());
    for at in [24, 64, 72, 80, 88, 96] {
        for count in [0, 1, u64::from(u32::MAX), u64::MAX / 64, u64::MAX] {
            let mut bad = good.clone();
            bad[at..at + 8].copy_from_slice(&count.to_le_bytes());
            seal(&mut bad);
            if bad != good {
                std::fs::write(&path, bad).unwrap();
                let error = scene.open(Tables::None).unwrap_err();
                assert!(matches!(error, FileError::Length | FileError::Other), "{at} {count}");
            }
        }
    }
    for (wire, value) in [(0, u32::MAX), (1, 0), (0, 1_000_000)] {
        let mut bad = good.clone();
        bad[256 + 4 * wire..260 + 4 * wire].copy_from_slice(&u32::to_le_bytes(value));
        seal_all(&mut bad);
        std::fs::write(&path, bad).unwrap();
        assert!(matches!(scene.open(Tables::None), Err(FileError::Damaged)), "{wire} {value}");
    }
    assert_eq!(scene.ready(Tables::None).counts(), [1, 1, 0]);
}

#[test]
fn tables_of_another_version_kind_key_or_circuit_are_built_again() {
    let scene = Scene::new(60);
    scene.ready(Tables::Small);
    let path = scene.path(Tables::Small);
    let good = std::fs::read(&path).unwrap();

    let mut newer = good.clone();
    newer[8..12].copy_from_slice(&(VERSION + 1).to_le_bytes());
    seal(&mut newer);
    std::fs::write(&path, newer).unwrap();
    let error = scene.open(Tables::Small).unwrap_err();
    assert!(matches!(error, FileError::Version { found } if found == VERSION + 1));
    assert_eq!(scene.ready(Tables::Small).counts(), [1, 1, 0]);

    scene.ready(Tables::None);
    std::fs::copy(scene.path(Tables::None), &path).unwrap();
    assert!(matches!(scene.open(Tables::Small), Err(FileError::Other)));
    assert_eq!(scene.ready(Tables::Small).counts(), [1, 1, 0]);

    let mut rng = StdRng::seed_from_u64(99);
    let other = Kernel::new(
        &support::key(&scene.system, &mut rng),
        scene.matrices.clone(),
        Tables::Small,
        &|_, _| {},
    )
    .unwrap();
    placet_kernel::file::save(&other, &path).unwrap();
    assert!(matches!(scene.open(Tables::Small), Err(FileError::Other)));
    assert_eq!(scene.ready(Tables::Small).counts(), [1, 1, 0]);

    // The same key for another circuit of the same size.
    let mut matrices = (*scene.matrices).clone();
    matrices.rows[2][5][0].0 += Fr::from(1u8);
    let other = Kernel::new(&scene.key, matrices, Tables::Small, &|_, _| {}).unwrap();
    placet_kernel::file::save(&other, &path).unwrap();
    assert!(matches!(scene.open(Tables::Small), Err(FileError::Other)));
    assert_eq!(scene.ready(Tables::Small).counts(), [1, 1, 0]);
    assert_eq!(std::fs::read(&path).unwrap(), good);
}

#[test]
fn of_several_that_start_together_one_builds() {
    let scene = Scene::new(300);
    let seen = Seen::default();
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                barrier.wait();
                let path = scene.path(Tables::Full);
                let kernel =
                    ready(&path, &scene.key, &scene.matrices, Tables::Full, &|s| seen.note(&s));
                scene.proves(&kernel.unwrap());
            });
        }
    });
    assert_eq!(seen.counts(), [1, 0, 0]);
}

#[test]
fn without_a_place_for_files_tables_are_used_from_memory() {
    let scene = Scene::new(6);
    std::fs::write(scene.dir.path().join("tables"), b"not a directory").unwrap();
    let seen = scene.ready(Tables::None);
    assert_eq!((seen.built.into_inner(), seen.not_saved.into_inner()), (1, 1));
}

/// Rows for which building and writing take long enough to be interrupted.
const LONG: usize = 900;

/// Not a test by itself: the process that is killed.
#[test]
#[ignore = "started by another test"]
fn build_in_a_process_of_its_own() {
    let Some(path) = std::env::var_os("PLACET_TEST_TABLES") else { return };
    let scene = Scene::new(LONG);
    let path = Path::new(&path);
    ready(path, &scene.key, &scene.matrices, Tables::Full, &|stage| {
        if let Stage::Building { .. } = stage {
            std::fs::write(begun(path), b"").unwrap();
        }
    })
    .unwrap();
}

/// Says that the other process builds.
fn begun(path: &Path) -> PathBuf {
    path.with_extension("begun")
}

#[test]
fn a_process_killed_while_it_builds_leaves_nothing_that_is_believed() {
    let scene = Scene::new(LONG);
    let path = scene.path(Tables::Full);
    let [_, new] = companions(&path);
    for while_writing in [false, true] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "build_in_a_process_of_its_own", "--ignored", "--nocapture"])
            .env("PLACET_TEST_TABLES", &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(300);
        let wait_for = |there: &dyn Fn() -> bool| {
            while !there() {
                assert!(Instant::now() < deadline, "it builds and writes at last");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        wait_for(&|| begun(&path).exists());
        if while_writing {
            wait_for(&|| new.exists() || path.exists());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // It may have been quicker than the signal; what is there under the name is complete.
        match scene.open(Tables::Full) {
            Ok(kernel) => scene.proves(&kernel),
            Err(FileError::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
            Err(error) => panic!("{error}"),
        }
    }
    let [_, unusable, not_saved] = scene.ready(Tables::Full).counts();
    assert_eq!((unusable, not_saved), (0, 0));
    assert!(!new.exists(), "what the killed process left is gone");
    scene.proves(&scene.open(Tables::Full).unwrap());
}
