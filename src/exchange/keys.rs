//! Keys: with the secret half a ledger signs what it sends, by the public half others know it.
//!
//! Ed25519, as RFC 8032 has it, verified strictly: of one file and one key there is one signature.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, VerifyingKey};

use crate::error::{Error, Result};
use crate::hash::{Hash, PublicKey};

/// The secret half of a key. It is overwritten in memory when it is dropped, and no text of it shows more than the public half.
///
/// ```
/// use counterfoil::exchange::SigningKey;
///
/// let key = SigningKey::generate()?;
/// // For the keychain of the operating system, and back from it.
/// let kept: [u8; 32] = *key.secret();
/// assert_eq!(SigningKey::from_secret(kept).public(), key.public());
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A new key, of the operating system's randomness.
    ///
    /// # Errors
    /// `storage` when the system gives none.
    pub fn generate() -> Result<Self> {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice())
            .map_err(|error| Error::storage(format!("the system gives no random numbers: {error}")))?;
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&secret)))
    }

    /// The key with this secret: 32 random bytes, kept by the app.
    #[must_use]
    pub fn from_secret(secret: [u8; 32]) -> Self {
        SigningKey(ed25519_dalek::SigningKey::from_bytes(&secret))
    }

    /// The secret, for whoever keeps it elsewhere than beside the ledger.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.0.verifying_key().to_bytes().into()
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl PublicKey {
    /// What names it where a signature stands: the first eight bytes of its BLAKE3, as 16 hexadecimal digits.
    ///
    /// ```
    /// use counterfoil::exchange::SigningKey;
    /// assert_eq!(SigningKey::from_secret([7; 32]).public().id(), "0871f3aabc26e458");
    /// ```
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = Hash::of(self.as_bytes()).to_string();
        id.truncate(16);
        id
    }

    /// Whether it has signed this. What is no key has signed nothing, nor has one whose signatures anybody could make.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let key = VerifyingKey::from_bytes(self.as_bytes());
        key.is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}
