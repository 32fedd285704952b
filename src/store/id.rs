//! Stable identifiers: a prefix that says what it is, and 80 random bits in lower-case base32 (RFC 4648 §6).

use chacha20poly1305::aead::{OsRng, rand_core::RngCore as _};

/// `fresh("cred")` makes `cred_` and sixteen characters of `a-z2-7`.
#[must_use]
pub fn fresh(prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = [0u8; 10];
    OsRng.fill_bytes(&mut random);
    let bits = random.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    let tail = (0..16).rev().map(|place| char::from(ALPHABET[(bits >> (place * 5) & 31) as usize]));
    let mut id = String::with_capacity(prefix.len() + 17);
    id.push_str(prefix);
    id.push('_');
    id.extend(tail);
    id
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_differ_and_keep_their_shape() {
        let (a, b) = (super::fresh("cred"), super::fresh("cred"));
        assert_ne!(a, b);
        assert_eq!(a.len(), 21);
        assert!(a.strip_prefix("cred_").unwrap().bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)));
    }
}
