//! Folders: put as one archive, and made again of it.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::house::{House, User};

/// A folder with what archives hold.
fn make(root: &Path) {
    fs::create_dir_all(root.join("sub/empty")).expect("folders");
    fs::write(root.join("one"), "one\n").expect("a file");
    // Larger than what is read to find out whether there is more.
    fs::write(root.join("sub/large"), vec![7; 9 << 20]).expect("a file");
    fs::set_permissions(root.join("one"), fs::Permissions::from_mode(0o755)).expect("permissions");
    symlink("../one", root.join("sub/link")).expect("a link");
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    File::open(root.join("one")).and_then(|file| file.set_modified(at)).expect("a time");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn is_whole(root: &Path) {
    assert_eq!(fs::read(root.join("sub/link")).expect("the link"), b"one\n");
    assert_eq!(fs::read_link(root.join("sub/link")).expect("a link"), Path::new("../one"));
    assert_eq!(fs::read(root.join("sub/large")).expect("the file"), vec![7; 9 << 20]);
    assert_eq!(fs::read_dir(root.join("sub/empty")).expect("a folder").count(), 0);
    let one = fs::metadata(root.join("one")).expect("the file");
    assert_eq!((one.mtime(), one.mode() & 0o777), (1_700_000_000, 0o700));
}

#[test]
fn a_folder_comes_back() {
    let house = House::open();
    let alice = house.user("alice");
    let folder = house.path("photos");
    make(&folder);
    let put = alice.run(&["file", "put", text(&folder), "--json"]).good().json();
    assert_eq!(put["file_name"], "photos.tar");
    let id = put["file_id"].as_str().expect("an id");

    let back = house.path("back");
    alice.run(&["file", "get", id, "--extract", "-o", text(&back)]).good();
    is_whole(&back);
    let again = alice.run(&["file", "put", text(&folder), "--json"]).good().json();
    assert_eq!(again["sha256"], put["sha256"], "the same folder gives the same bytes");

    let taken = alice.run(&["file", "get", id, "--extract", "-o", text(&back)]);
    let expected =
        format!("error: {} is there already\nhelp: name a folder that is not there yet: -o PATH\n", back.display());
    assert_eq!((taken.code, taken.err), (Some(2), expected));
    let nowhere = alice.run(&["file", "get", id, "--extract"]);
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.err.contains("--output"), "{}", nowhere.err);
}

#[test]
fn what_no_archive_holds_is_refused_and_no_record_is_left() {
    let house = House::open();
    let alice = house.user("alice");
    let folder = house.path("photos");
    make(&folder);
    let check = |path: &str, code: i32, message: &str| {
        let ended = alice.run(&["file", "put", path]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.err.contains(message), "{}", ended.err);
        assert_eq!(alice.get(&["file", "list"]), "");
    };
    symlink("/etc/passwd", folder.join("out")).expect("a link");
    check(text(&folder), 1, "out is a link to /etc/passwd, which leads out of the folder\nhelp: take it out");
    fs::remove_file(folder.join("out")).expect("the link");
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).expect("a socket");
    check(text(&folder), 1, "socket is a socket, which no archive can hold");
    assert_eq!(alice.run(&["file", "put", text(&folder), "--lines"]).code, Some(2));
    assert_eq!(alice.run(&["file", "put", text(&folder), "--columns", "a:int"]).code, Some(2));
}

/// Puts an archive with one entry of this path, whatever it is.
fn put_archive(house: &House, alice: &User<'_>, kind: tar::EntryType, path: &str, link: &str) -> String {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, std::io::empty()).expect("an entry");
    alice.get(&["file", "put", &house.file("archive.tar", &archive.into_inner().expect("an archive"))])
}

#[test]
fn nothing_is_extracted_outside_of_the_new_folder() {
    let house = House::open();
    let alice = house.user("alice");
    let outer = house.path("outer");
    fs::create_dir(&outer).expect("a folder");
    let new = outer.join("new");
    let check = |id: &str, message: &str| {
        let ended = alice.run(&["file", "get", id, "-x", "-o", text(&new)]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains(message), "{}", ended.err);
        assert!(ended.err.contains("\nhelp: get it as it is, without --extract"), "{}", ended.err);
        assert!(crate::house::is_empty(&outer));
    };
    let file = tar::EntryType::Regular;
    check(&put_archive(&house, &alice, file, "../x", ""), "the archive's entry `../x` would lead out of the folder");
    check(&put_archive(&house, &alice, file, "/x", ""), "the archive's entry `/x` would lead out of the folder");
    let link = tar::EntryType::Symlink;
    check(&put_archive(&house, &alice, link, "x", "../y"), "the archive's entry `x -> ../y` would lead out");
    check(&put_archive(&house, &alice, tar::EntryType::Fifo, "x", ""), "entry `x` is no file, folder or link");
    let text = alice.get(&["file", "put", &house.file("text", b"no archive")]);
    check(&text, "it is no tar archive");
}

#[test]
fn a_changed_archive_is_not_even_opened() {
    let house = House::open();
    let alice = house.user("alice");
    let folder = house.path("photos");
    make(&folder);
    let id = alice.get(&["file", "put", text(&folder)]);
    let info = alice.run(&["file", "info", &id, "--json"]).good().json();
    let ciphertext = info["access_path"].as_str().expect("a path");
    let mut bytes = fs::read(ciphertext).expect("the ciphertext");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(ciphertext, bytes).expect("the ciphertext");
    let outer = house.path("outer");
    fs::create_dir(&outer).expect("a folder");
    let ended = alice.run(&["file", "get", &id, "-x", "-o", text(&outer.join("new"))]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(crate::house::is_empty(&outer));
}
