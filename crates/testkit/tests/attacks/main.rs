//! The attacks on attested channels that were published up to 2026, each by its name: the attacker has what the attack
//! gives him, a stolen key most of all, and gets nothing for it. Forged certificates are in `hostile::peers`.

mod binding;
mod diversion;
mod downgrade;
mod early;
mod freshness;
mod limits;
mod platforms;
mod reflection;
mod relay;
mod replay;
mod scene;
