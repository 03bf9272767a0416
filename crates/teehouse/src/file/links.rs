//! Which symbolic links stay inside the folder that they are in.

use std::path::{Component, Path};

/// Whether a link leads to something in the folder that `link` is relative to.
///
/// Its target is relative, climbs at its start alone, and no further than to the folder. Folders on the way to `link`
/// are no links themselves, so the climb is exact; every name after it is in the folder, and is a link that stays there
/// at worst. A climb after a name could start behind another link, and is refused for that.
pub(super) fn stays_inside(link: &Path, target: &Path) -> bool {
    let depth = link.components().count().saturating_sub(1);
    let is_step = |part: &Component<'_>| matches!(part, Component::ParentDir | Component::CurDir);
    let climbs = target.components().take_while(is_step).filter(|part| *part == Component::ParentDir).count();
    let mut names = target.components().skip_while(is_step);
    climbs <= depth && target != Path::new("") && names.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_out_are_seen() {
        let check = |link: &str, target: &str, inside: bool| {
            assert_eq!(stays_inside(Path::new(link), Path::new(target)), inside, "{link} -> {target}");
        };
        check("a", "b", true);
        check("a", ".", true);
        check("a", "./b/c", true);
        check("d/a", "../b", true);
        check("d/e/a", "../../b", true);
        check("d/e/a", "../..", true);
        check("a", "", false);
        check("a", "/b", false);
        check("a", "..", false);
        check("a", "../b", false);
        check("d/a", "../../b", false);
        check("d/a", ".././../b", false);
        check("a", "b/..", false);
        check("d/e/a", "l/../../x", false);
    }
}
