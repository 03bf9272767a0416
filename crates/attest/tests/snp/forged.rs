//! Every product, version and key; and every state in which a machine can be.

use attest::claims::{ConfigId, Endorsements, Mode, PlatformId, SnpAuthor, Specifics};
use attest::collateral::{AmdCollateral, BadCollateral, Collateral, Need, Part};
use attest::evidence::Evidence;
use attest::platform::Platform;
use attest::reference::{Accepted, Allowance, CollateralFloor, ReferenceValues};
use attest::refusal::{Fault, Refusal};
use attest::snp::layout::fields;
use attest::snp::{AmdRoots, KeyKind, SnpProduct, SnpTcb};
use forge::snp::{Chip, Encoding, Guest, InstalledChip, SnpForge};
use types::time::UnixMillis;

use crate::samples::{NOW, appraise, collateral, forge, forged_policy, issued, policy, strict};

fn judge(product: SnpProduct, values: ReferenceValues, evidence: &Evidence, held: &Collateral) -> Result<(), Refusal> {
    let policy = forged_policy(product, values);
    appraise(evidence, &Guest::default().report_data, &policy, held, NOW).map(|_| ())
}

fn check(chip: &InstalledChip<'_>, guest: &Guest, values: ReferenceValues, expected: Result<(), Refusal>) {
    let found = judge(SnpProduct::Genoa, values, &chip.carried(guest), &collateral(&chip.collateral()));
    assert_eq!(found, expected, "{guest:?}");
}

fn genoa() -> InstalledChip<'static> {
    forge(SnpProduct::Genoa).install(Chip::default())
}

#[test]
fn every_product_version_and_key_verifies() {
    for product in SnpProduct::ALL {
        for kind in [KeyKind::Vcek, KeyKind::Vlek] {
            let tcb = SnpTcb { fmc: if product == SnpProduct::Turin { 1 } else { 0 }, ..Chip::default().tcb };
            let chip = forge(product).install(Chip { kind, tcb, ..Chip::default() });
            let held = collateral(&chip.collateral());
            for version in 2..=5 {
                let guest = Guest { version, ..Guest::default() };
                for evidence in [chip.evidence(&guest), chip.carried(&guest)] {
                    let found = judge(product, strict(), &evidence, &held);
                    assert_eq!(found, Ok(()), "{product} {kind:?} version {version}");
                }
            }
        }
    }
}

#[test]
fn claims_are_the_reports() {
    let chip = genoa();
    let guest = Guest { author: Some([7; 48]), vmpl: 1, ..Guest::default() };
    let authors = Accepted::Only([SnpAuthor::Key([7; 48])].into());
    let policy = forged_policy(SnpProduct::Genoa, ReferenceValues { snp_vmpl: 1, snp_authors: authors, ..strict() });
    let held = collateral(&chip.collateral());
    let claims = appraise(&chip.evidence(&guest), &guest.report_data, &policy, &held, NOW).unwrap().into_inner();
    assert_eq!((claims.mode, claims.security_version), (Mode::Production, 3));
    assert_eq!(claims.config_id, ConfigId(vec![0x40; 32]));
    assert_eq!(claims.platform_ids, [PlatformId::ChipId([0x5a; 64])].into());
    assert_eq!(claims.endorsements, Endorsements::Amd { issued: issued() });
    let Specifics::SevSnp(snp) = claims.specifics else { panic!("{:?}", claims.specifics) };
    assert_eq!((snp.vmpl, snp.tcb, snp.author), (1, Chip::default().tcb, SnpAuthor::Key([7; 48])));
    assert_eq!(claims.validity.not_after.0, issued().0 + 365 * 24 * 3_600_000 - 1, "as long as the list holds");
}

#[test]
fn every_state_has_its_own_refusal() {
    let (chip, plain) = (genoa(), Guest::default());
    check(&chip, &plain, strict(), Ok(()));
    let cases = [
        (Guest { policy: plain.policy | 1 << 19, ..plain.clone() }, Allowance::DebugMode, Refusal::Debug),
        (
            Guest { policy: plain.policy | 1 << 18, ..plain.clone() },
            Allowance::MigrationAgent,
            Refusal::NotAllowed(Allowance::MigrationAgent),
        ),
        (
            Guest { platform_info: 0x21, ..plain.clone() },
            Allowance::SimultaneousMultithreading,
            Refusal::NotAllowed(Allowance::SimultaneousMultithreading),
        ),
        (
            Guest { platform_info: 0, ..plain.clone() },
            Allowance::UncheckedMemoryAliases,
            Refusal::NotAllowed(Allowance::UncheckedMemoryAliases),
        ),
    ];
    for (guest, allowance, refusal) in cases {
        check(&chip, &guest, strict(), Err(refusal));
        check(&chip, &guest, ReferenceValues { allowances: [allowance].into(), ..strict() }, Ok(()));
    }
    for vmpl in [1, 3, u32::MAX] {
        check(&chip, &Guest { vmpl, ..plain.clone() }, strict(), Err(Refusal::Vmpl { found: vmpl, accepted: 0 }));
    }
}

#[test]
fn firmware_that_can_be_taken_back_is_refused_by_name() {
    let chip = genoa();
    for name in ["COMMITTED_VERSION", "COMMITTED_TCB"] {
        let mut report = chip.report(&Guest::default());
        let (_, range) = fields().find(|(other, _)| *other == name).unwrap();
        report[range.start] -= 1;
        chip.sign(&mut report);
        let check = |values| judge(SnpProduct::Genoa, values, &chip.carry(&report), &collateral(&chip.collateral()));
        let provisional = Allowance::ProvisionalFirmware;
        assert_eq!(check(strict()), Err(Refusal::NotAllowed(provisional)), "{name}");
        assert_eq!(check(ReferenceValues { allowances: [provisional].into(), ..strict() }), Ok(()), "{name}");
    }
}

#[test]
fn the_lowest_firmware_of_all_counts() {
    let chip = genoa();
    let tcb = Chip::default().tcb;
    let old = SnpTcb { microcode: 1, ..tcb };
    let values = ReferenceValues { minimum_snp_tcb: [(SnpProduct::Genoa, tcb)].into(), ..strict() };
    check(&chip, &Guest::default(), values.clone(), Ok(()));
    let refusal = Refusal::SnpTcb { product: SnpProduct::Genoa, found: Box::new(old), minimum: Box::new(tcb) };
    check(&chip, &Guest { launch_tcb: Some(old), ..Guest::default() }, values, Err(refusal));
}

#[test]
fn revocation_is_seen_and_dated() {
    let chip = genoa();
    let evidence = chip.evidence(&Guest::default());
    let found = judge(SnpProduct::Genoa, strict(), &evidence, &collateral(&chip.revoked_collateral()));
    assert_eq!(found, Err(Refusal::Revoked("ASK's certificate")));

    let missing = judge(SnpProduct::Genoa, strict(), &chip.carried(&Guest::default()), &Collateral::default());
    assert_eq!(missing, Err(Refusal::NotAllowed(Allowance::UncheckedRevocation)));

    let held = collateral(&chip.collateral());
    let policy = forged_policy(SnpProduct::Genoa, strict());
    let at = |now| appraise(&evidence, &Guest::default().report_data, &policy, &held, UnixMillis(now)).map(|_| ());
    let year = 365 * 24 * 3_600_000;
    assert_eq!(at(issued().0 + year - 1), Ok(()));
    let what = "AMD's revocation list";
    assert_eq!(at(issued().0 + year), Err(Refusal::Expired { what, not_after: UnixMillis(issued().0 + year - 1) }));
    assert_eq!(at(issued().0 - 1), Err(Refusal::NotYetValid { what, not_before: issued() }));
    assert_eq!(held.valid_until(), UnixMillis(issued().0 + year - 1));

    let floor = |at| CollateralFloor { issued: UnixMillis(at), tcb_evaluation: 0 };
    check(&chip, &Guest::default(), ReferenceValues { collateral_floor: floor(issued().0), ..strict() }, Ok(()));
    let past = ReferenceValues { collateral_floor: floor(issued().0 + 1), ..strict() };
    check(&chip, &Guest::default(), past, Err(Refusal::CollateralBelowFloor));
}

/// A list that says nothing is revoked, by somebody with the root's name.
#[test]
fn a_list_that_the_root_did_not_sign_is_refused() {
    let impostor = SnpForge::new(SnpProduct::Genoa, Encoding::Newer, issued());
    let held = collateral(&impostor.install(Chip::default()).collateral());
    let found = judge(SnpProduct::Genoa, strict(), &genoa().carried(&Guest::default()), &held);
    assert_eq!(found, Err(Refusal::BadSignature));
}

#[test]
fn roots_are_told_apart() {
    let chip = genoa();
    let carried = chip.carried(&Guest::default());
    let allow = ReferenceValues { allowances: Allowance::ALL.into(), ..strict() };
    let found = appraise(&carried, &Guest::default().report_data, &policy(allow.clone()), &Collateral::default(), NOW);
    assert_eq!(found.map(|_| ()), Err(Refusal::OtherRoot(Platform::SevSnp)));

    let impostor = SnpForge::new(SnpProduct::Genoa, Encoding::Older, issued());
    let carried = impostor.install(Chip::default()).carried(&Guest::default());
    let found = judge(SnpProduct::Genoa, allow, &carried, &Collateral::default());
    assert_eq!(found, Err(Refusal::BadSignature), "a root of the same name");
}

#[test]
fn a_key_of_another_chip_firmware_product_or_kind_is_refused() {
    let guest = Guest::default();
    let report = genoa().report(&guest);
    let product = SnpProduct::Genoa;
    let unverifiable =
        |reason: &str| Err(Refusal::Unverifiable { platform: Platform::SevSnp, reason: reason.to_owned() });
    let check = |chip: &InstalledChip<'_>, expected| {
        assert_eq!(judge(product, strict(), &chip.carry(&report), &Collateral::default()), expected);
    };
    let install = |chip| forge(product).install(chip);
    let chip = Chip::default();
    check(&install(Chip { id: [1; 64], ..chip }), unverifiable("the endorsement key is another chip's"));
    let tcb = SnpTcb { snp: 23, ..chip.tcb };
    check(&install(Chip { tcb, ..chip }), unverifiable("the endorsement key is for another TCB version"));
    let vlek = install(Chip { kind: KeyKind::Vlek, ..chip });
    check(&vlek, unverifiable("another kind of key than the certificate's signed the report"));
    let milan = forge(SnpProduct::Milan).install(chip);
    check(&milan, unverifiable("the endorsement key is another product's"));
    check(&install(chip), Err(Refusal::BadSignature));
}

/// Re-signed, so that nothing but the value itself is wrong.
#[test]
fn what_is_reserved_must_be_zero_even_when_it_is_signed() {
    let chip = genoa();
    let check = |at: usize, value: u8, expected: &'static str| {
        let mut report = chip.report(&Guest::default());
        report[at] = value;
        chip.sign(&mut report);
        let found = judge(SnpProduct::Genoa, strict(), &chip.carry(&report), &collateral(&chip.collateral()));
        assert_eq!(found, Err(Refusal::Malformed { part: "SEV-SNP report", fault: Fault::Expected(expected) }), "{at}");
    };
    for at in [0x4c, 0x18b, 0x19f, 0x1eb, 0x1ef, 0x208, 0x29f] {
        check(at, 1, "zeros in reserved bytes");
    }
    check(0, 1, "a report of version 2 to 5");
    check(0, 6, "a report of version 2 to 5");
    check(0x34, 2, "an ECDSA P-384 signature");
    check(0x0a, 0, "a guest policy whose bit 17 is one");
    check(0x0b, 4, "a guest policy without unknown bits");
    check(0x40, 0x60, "platform information without unknown bits");
    check(0x48, 7 << 2, "a report signed by a VCEK or VLEK");
    check(0x48, 0x20, "key information without unknown bits");
    check(0x182, 1, "zeros in a TCB version's reserved bytes");
}

#[test]
fn versions_2_to_4_have_no_fields_of_later_ones() {
    let chip = genoa();
    for (version, at) in [(2, 0x188), (4, 0x1f8), (4, 0x200)] {
        let mut report = chip.report(&Guest { version, ..Guest::default() });
        report[at] = 0x19;
        chip.sign(&mut report);
        let found = judge(SnpProduct::Genoa, strict(), &chip.carry(&report), &collateral(&chip.collateral()));
        let fault = Fault::Expected("zeros in reserved bytes");
        assert_eq!(found, Err(Refusal::Malformed { part: "SEV-SNP report", fault }), "version {version}");
    }
}

#[test]
fn collateral_reads_back_and_says_what_is_wrong_with_it() {
    let json = genoa().collateral();
    let read = AmdCollateral::from_json(&json).unwrap();
    assert_eq!((read.product(), read.kind()), (SnpProduct::Genoa, KeyKind::Vcek));
    let again = AmdCollateral::from_json(&read.to_json()).unwrap();
    assert_eq!(again.to_json(), read.to_json());
    let text = String::from_utf8(json).unwrap();
    for (from, to, part) in [
        ("X509 CRL", "CERTIFICATE", "AMD's revocation list"),
        ("BEGIN CERTIFICATE", "BEGIN NOTHING", "CA's certificate"),
    ] {
        let found = AmdCollateral::from_json(text.replace(from, to).as_bytes());
        assert!(matches!(found, Err(BadCollateral::Malformed(found)) if found == part), "{part}");
    }
    assert!(matches!(AmdCollateral::from_json(b"{}"), Err(BadCollateral::Json { .. })));
    let roots = AmdRoots::danger_other(forge(SnpProduct::Milan).root().to_vec());
    let other = policy(strict()).danger_trust_amd_root(roots);
    let evidence = genoa().evidence(&Guest::default());
    let missing = appraise(&evidence, &Guest::default().report_data, &other, &Collateral::default(), NOW);
    assert!(matches!(missing, Err(Refusal::CollateralMissing { .. })), "{missing:?}");
}

#[test]
fn evidence_says_which_chips_key_it_needs() {
    for product in SnpProduct::ALL {
        let chip = forge(product).install(Chip::default());
        let guest = Guest::default();
        let part = Part::from_json(&chip.collateral()).unwrap();
        let plain = format!("{product}:VCEK");
        let carried: Vec<_> = Need::of(&chip.carried(&guest)).iter().map(Need::to_string).collect();
        assert_eq!(carried, [&*plain]);
        let alone = Need::of(&chip.evidence(&guest));
        assert!(alone.iter().all(|need| matches!(need, Need::Amd { key: Some(_), .. })), "{alone:?}");
        let answered: Vec<_> = alone.iter().filter(|need| part.answers(need)).collect();
        assert_eq!(answered.len(), 1, "{alone:?}");
        assert_eq!(answered[0].without_key().to_string(), plain);
        let held = Collateral::default().with(part.clone());
        assert!(held.part(answered[0]).is_some());
        // Another state of the firmware has another key.
        let tcb = attest::snp::SnpTcb { microcode: 214, ..Chip::default().tcb };
        let other = forge(product).install(Chip { tcb, ..Chip::default() });
        let updated = Need::of(&other.evidence(&guest));
        assert!(updated.iter().all(|need| held.part(need).is_none()));
        let both = held.with(Part::from_json(&other.collateral()).unwrap());
        assert!(both.part(answered[0]).is_some() && updated.iter().any(|need| both.part(need).is_some()));
    }
}

#[test]
fn without_a_revocation_list_its_products_collateral_is_needed() {
    let chip = genoa();
    let evidence = chip.carried(&Guest::default());
    let refused = judge(SnpProduct::Genoa, strict(), &evidence, &Collateral::default()).map(|_| ()).unwrap_err();
    let needed = Need::of_refused(&refused, &evidence);
    assert_eq!(needed.iter().map(Need::to_string).collect::<Vec<_>>(), ["Genoa:VCEK"], "{refused}");
}
