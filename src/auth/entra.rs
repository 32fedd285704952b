//! Microsoft's numbers: why a sign-in or token was refused, and what to do.
//!
//! Source: learn.microsoft.com/entra/identity-platform/reference-error-codes (April 2024); the few numbers that it lacks (500113, 530003,
//! 700024, 700051, 900023) are told by the service with the same words in many published reports. Microsoft advises programs to act on the
//! error's name only: the numbers choose words here, and whether a person is sent to consent again.

use crate::model::{CredentialStatus, ProblemKind};
use crate::words::{self, Id};

/// What follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A person has to sign in or consent, perhaps after something else.
    Consent,
    /// The app's registration, the tenant or the credential's settings have to change.
    Config,
    /// A secret has ended.
    Ended,
    /// It may work later.
    Passing,
}

impl Effect {
    #[must_use]
    pub fn kind(self) -> ProblemKind {
        if self == Self::Passing { ProblemKind::Failed } else { ProblemKind::PersonMustAct }
    }

    /// `person`: somebody consented, and can do so again.
    #[must_use]
    pub fn becomes(self, person: bool) -> CredentialStatus {
        match self {
            Self::Consent if person => CredentialStatus::NeedsConsent,
            Self::Consent | Self::Config => CredentialStatus::Refused,
            Self::Ended => CredentialStatus::Expired,
            Self::Passing => CredentialStatus::Unknown,
        }
    }
}

pub struct Meaning {
    numbers: &'static [u32],
    pub effect: Effect,
    pub why: Id,
    pub next: Id,
}

macro_rules! meaning {
    ($numbers:expr, $effect:ident, $key:literal) => {
        Meaning { numbers: &$numbers, effect: Effect::$effect, why: words::id(concat!($key, ".why")), next: words::id(concat!($key, ".next")) }
    };
}

#[rustfmt::skip]
static MEANINGS: &[Meaning] = &[
    meaning!([50_011, 70_004], Config, "auth.entra.reply"),
    meaning!([500_113, 900_971], Config, "auth.entra.no_reply"),
    meaning!([16_003, 50_014, 50_020, 50_034, 51_004, 90_072], Consent, "auth.entra.user"),
    meaning!([50_053], Consent, "auth.entra.locked"),
    meaning!([50_055, 50_144], Consent, "auth.entra.password_ended"),
    meaning!([50_057], Consent, "auth.entra.disabled"),
    meaning!([50_058], Consent, "auth.entra.not_signed_in"),
    meaning!([50_074, 50_076, 50_158], Consent, "auth.entra.mfa"),
    meaning!([50_078], Consent, "auth.entra.mfa_ended"),
    meaning!([50_072, 50_079, 53_004], Consent, "auth.entra.mfa_register"),
    meaning!([50_056, 50_064, 50_126], Consent, "auth.entra.password"),
    meaning!([50_105], Consent, "auth.entra.assigned"),
    meaning!([50_131, 53_003, 530_032], Consent, "auth.entra.policy"),
    meaning!([50_097, 50_129, 53_000, 53_001, 530_003], Consent, "auth.entra.device"),
    meaning!([53_002], Consent, "auth.entra.approved_app"),
    meaning!([530_035], Consent, "auth.entra.defaults"),
    meaning!([50_135, 53_011], Consent, "auth.entra.risk"),
    meaning!([50_132, 50_133, 50_173], Consent, "auth.entra.revoked"),
    meaning!([70_043], Consent, "auth.entra.frequency"),
    meaning!([700_084], Consent, "auth.entra.page_app"),
    meaning!([70_000], Consent, "auth.entra.grant"),
    meaning!([50_089, 70_008, 700_082], Consent, "auth.entra.idle"),
    meaning!([54_005], Consent, "auth.entra.code_used"),
    meaning!([501_481], Consent, "auth.entra.verifier"),
    meaning!([700_005], Consent, "auth.entra.other_tenant"),
    meaning!([65_001, 90_008], Consent, "auth.entra.no_consent"),
    meaning!([65_004], Consent, "auth.entra.declined"),
    meaning!([90_094, 90_095], Consent, "auth.entra.admin"),
    meaning!([65_005, 650_056, 650_057], Config, "auth.entra.permissions"),
    meaning!([650_052, 650_054], Config, "auth.entra.service"),
    meaning!([700_011, 700_016], Config, "auth.entra.app"),
    meaning!([70_001, 7_000_112], Config, "auth.entra.app_disabled"),
    meaning!([70_002, 7_000_215], Config, "auth.entra.secret"),
    meaning!([7_000_222], Ended, "auth.entra.secret_ended"),
    meaning!([7_000_218], Config, "auth.entra.secret_missing"),
    meaning!([700_025], Config, "auth.entra.secret_unwanted"),
    meaning!([50_012, 50_027, 700_027], Config, "auth.entra.assertion"),
    meaning!([500_133, 700_024], Config, "auth.entra.assertion_time"),
    meaning!([50_013, 50_048], Config, "auth.entra.assertion_issuer"),
    meaning!([90_002, 900_023], Config, "auth.entra.tenant"),
    meaning!([50_059, 50_128, 90_019], Config, "auth.entra.no_tenant"),
    meaning!([50_194], Config, "auth.entra.one_tenant"),
    meaning!([90_124, 90_130, 9_001_023, 9_002_332], Config, "auth.entra.endpoint"),
    meaning!([50_002, 500_021, 500_022, 500_212, 500_213], Config, "auth.entra.restricted"),
    meaning!([28_002, 28_003, 70_011, 700_023], Config, "auth.entra.scope"),
    meaning!([700_022], Config, "auth.entra.scopes_mixed"),
    meaning!([50_001, 500_011], Config, "auth.entra.resource"),
    meaning!([901_002], Config, "auth.entra.resource_param"),
    meaning!([90_014, 900_144], Config, "auth.entra.missing"),
    meaning!([90_004, 90_023, 90_100, 9_002_313], Config, "auth.entra.malformed"),
    meaning!([90_015], Config, "auth.entra.long"),
    meaning!([900_561], Config, "auth.entra.verb"),
    meaning!([70_005, 700_051, 700_054], Config, "auth.entra.response_type"),
    meaning!([70_003], Config, "auth.entra.grant_type"),
    meaning!([70_018, 70_019], Consent, "auth.entra.user_code"),
    meaning!([50_134], Consent, "auth.entra.data_centre"),
    meaning!([130_004, 135_010], Consent, "auth.entra.key"),
    meaning!([130_007, 135_011], Consent, "auth.entra.device_off"),
    meaning!([20_001, 20_012, 20_033, 40_008, 40_009, 40_015], Consent, "auth.entra.federation"),
    meaning!([80_001, 80_002, 80_005, 80_007, 80_014], Passing, "auth.entra.on_premises"),
    meaning!([50_196], Passing, "auth.entra.loop"),
    meaning!([40_010, 50_033, 50_087, 90_006, 90_012, 90_024, 90_033, 90_055, 90_090], Passing, "auth.entra.busy"),
];

/// `None`: a number that is not known here.
#[must_use]
pub fn meaning(number: u32) -> Option<&'static Meaning> {
    MEANINGS.iter().find(|meaning| meaning.numbers.contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_meaning_with_words() {
        let mut numbers: Vec<u32> = MEANINGS.iter().flat_map(|meaning| meaning.numbers.iter().copied()).collect();
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all, "a number stands twice");
        for meaning in MEANINGS {
            for text in [words::get(meaning.why), words::get(meaning.next)] {
                assert!(text.ends_with('.') && !text.contains(['{', '!']), "{text}");
            }
        }
        // What admins really meet.
        for number in [
            50_011, 50_034, 50_053, 50_055, 50_057, 50_058, 50_076, 50_079, 50_105, 50_126, 50_131, 50_158, 50_173, 50_194, 53_000, 53_003, 65_001,
            65_004, 70_000, 70_008, 700_016, 700_024, 700_027, 700_051, 700_082, 700_084, 7_000_215, 7_000_218, 7_000_222, 90_002, 90_008, 90_015,
            90_072, 90_094, 900_023, 900_144, 9_002_313, 500_011, 500_113, 500_133, 530_003, 135_010,
        ] {
            assert!(meaning(number).is_some(), "{number}");
        }
        assert!(meaning(1).is_none());
    }
}
