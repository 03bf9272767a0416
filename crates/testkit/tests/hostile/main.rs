//! Whatever strangers can send. Every test is an attack and what the services owe to it: the documented error or a
//! clean close, bounded memory, and other clients who notice nothing.

mod attacker;
mod documents;
mod flood;
mod frames;
mod http;
mod http2;
mod peers;
mod slow;
mod tls;
