//! An authority's key for contracts on disk: PKCS#8 with the curve secp256k1, encrypted with a
//! passphrase, in PEM, as other tools read and write it.

use std::path::Path;

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::spki::{AlgorithmIdentifier, ObjectIdentifier};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use placet_evm::SigningKey;
use placet_wallet::files::{Existing, write_atomically};
use serde_json::json;
use zeroize::Zeroizing;

use crate::app::App;
use crate::fail::{Exit, Failure, Result};
use crate::output::Report;

/// Keys on elliptic curves, RFC 5480.
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// The curve secp256k1, SEC 2.
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
/// What stands before the secret in a key of RFC 5915 without its optional parts: a sequence of
/// the version, 1, and an octet string of 32 bytes.
const SECRET_HEADER: [u8; 7] = [0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20];
/// Label of an encrypted key in PEM.
const LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// Longest key file, in bytes.
const MAX_FILE: u64 = 16 * 1024;

/// Makes a key and its file.
pub fn generate(app: &mut App, out: &Path) -> Result<Report> {
    let mut secret = Zeroizing::new([0u8; 32]);
    getrandom::fill(secret.as_mut_slice())?;
    let key = SigningKey::from_bytes(&secret).map_err(|error| Failure::internal(&error))?;
    let passphrase = app.passphrases.fresh(&format!("the key {}", out.display()))?;
    let pem = {
        let _working = app.progress.spinner("encrypting the key");
        encrypt(&key, &passphrase).ok_or_else(|| {
            Failure::new(Exit::Internal, "internal", "the key could not be encrypted", "try again")
        })?
    };
    write_atomically(out, pem.as_bytes(), Existing::Refuse)
        .map_err(|error| Failure::file(out, &error))?;
    let address = key.address();
    let text = format!(
        "{}\naddress {address}\ntell it to whoever deploys the adapter, and back the file up",
        out.display()
    );
    Ok(Report::new(text, json!({ "file": out.display().to_string(), "address": address })))
}

/// Opens a key's file.
pub fn load(app: &mut App, path: &Path) -> Result<SigningKey> {
    let wrong = || {
        Failure::input(
            "key",
            format!("{} is no encrypted secp256k1 key in PEM", path.display()),
            "make one with `placet evm keygen`",
        )
    };
    let metadata = std::fs::metadata(path).map_err(|error| Failure::file(path, &error))?;
    if metadata.len() > MAX_FILE {
        return Err(wrong());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(Failure::input(
                "exposed",
                format!("other users may read {}", path.display()),
                "take that right away (chmod 600)",
            ));
        }
    }
    let pem = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    let (label, document) = SecretDocument::from_pem(&pem).map_err(|_| wrong())?;
    let sealed = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| wrong())?;
    if label != LABEL {
        return Err(wrong());
    }
    let passphrase = app.passphrases.known(&format!("the key {}", path.display()))?;
    let _working = app.progress.spinner("opening the key");
    let opened = sealed.decrypt(passphrase.as_bytes()).map_err(|_| {
        Failure::new(
            Exit::Passphrase,
            "wrong-passphrase",
            "wrong passphrase",
            "try again; without it the key is lost, and the signers have to be changed",
        )
    })?;
    secret(opened.as_bytes()).ok_or_else(wrong)
}

fn encrypt(key: &SigningKey, passphrase: &str) -> Option<Zeroizing<String>> {
    let mut private = Zeroizing::new(SECRET_HEADER.to_vec());
    private.extend_from_slice(&*key.expose());
    let algorithm = AlgorithmIdentifier { oid: ELLIPTIC, parameters: Some((&SECP256K1).into()) };
    let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(&private).ok()?);
    info.encrypt(passphrase).ok()?.to_pem(LABEL, LineEnding::LF).ok()
}

/// The key in an opened document. Optional parts behind the secret, as other tools write them, are
/// passed over.
fn secret(document: &[u8]) -> Option<SigningKey> {
    let info = PrivateKeyInfoRef::try_from(document).ok()?;
    let curve = info.algorithm.parameters_oid().ok()?;
    if info.algorithm.oid != ELLIPTIC || curve != SECP256K1 {
        return None;
    }
    // A longer sequence has another length in its second byte, and the same parts at first.
    let private = info.private_key.as_bytes();
    let (head, rest) = private.split_at_checked(SECRET_HEADER.len())?;
    if head[0] != SECRET_HEADER[0] || head[2..] != SECRET_HEADER[2..] {
        return None;
    }
    let bytes: &[u8; 32] = rest.first_chunk()?;
    SigningKey::from_bytes(bytes).ok()
}
