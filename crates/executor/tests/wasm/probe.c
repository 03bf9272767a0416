// A program that does what its payload says, one word and its arguments at a time, for the tests beside it.
// build-probe.sh makes probe.wasm of it.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char buffer[65536];

static const char *name(int error) {
  switch (error) {
    case 0: return "ok";
    case EACCES: return "EACCES";
    case EBADF: return "EBADF";
    case EDQUOT: return "EDQUOT";
    case EEXIST: return "EEXIST";
    case EINVAL: return "EINVAL";
    case EISDIR: return "EISDIR";
    case EMFILE: return "EMFILE";
    case ENOENT: return "ENOENT";
    case ENOTCAPABLE: return "ENOTCAPABLE";
    case ENOTDIR: return "ENOTDIR";
    case EPERM: return "EPERM";
    case EROFS: return "EROFS";
    case ESPIPE: return "ESPIPE";
    default: return strerror(error);
  }
}

static char *word(void) {
  char *next = strtok(NULL, " ");
  if (!next) {
    fprintf(stderr, "a word is missing\n");
    exit(2);
  }
  return next;
}

static long number(void) { return atol(word()); }

// How opening ends.
static void try_open(int flags) {
  int file = open(word(), flags, 0666);
  printf("%s\n", file < 0 ? name(errno) : "ok");
  if (file >= 0) close(file);
}

static void copy(void) {
  FILE *from = fopen(word(), "rb"), *to = fopen(word(), "wb");
  size_t bytes;
  if (!from || !to) {
    fprintf(stderr, "copy: %s\n", name(errno));
    exit(1);
  }
  while ((bytes = fread(buffer, 1, sizeof buffer, from)) > 0)
    if (fwrite(buffer, 1, bytes, to) != bytes) exit(1);
  if (fclose(to)) exit(1);
  fclose(from);
}

// Prints pieces of a file: FILE, then how many pieces, then offset and length of each.
static void pieces(void) {
  int file = open(word(), O_RDONLY);
  for (long n = number(); n > 0; n--) {
    off_t offset = number();
    long length = number(), there = 0, bytes;
    if (lseek(file, offset, SEEK_SET) < 0) printf("%s", name(errno));
    while (there < length && (bytes = read(file, buffer + there, length - there)) > 0) there += bytes;
    printf("%.*s|", (int)there, buffer);
  }
  printf("\n");
  close(file);
}

static void list(void) {
  const char *path = word();
  DIR *directory = opendir(path);
  struct dirent *entry;
  if (!directory) {
    printf("%s\n", name(errno));
    return;
  }
  while ((entry = readdir(directory))) {
    struct stat stat;
    char full[256];
    if (entry->d_name[0] == '.') continue;
    snprintf(full, sizeof full, "%s/%s", path, entry->d_name);
    if (fstatat(AT_FDCWD, full, &stat, 0)) printf("%s:%s ", entry->d_name, name(errno));
    else printf(S_ISDIR(stat.st_mode) ? "%s/ " : "%s:%lld ", entry->d_name, (long long)stat.st_size);
  }
  printf("\n");
  closedir(directory);
}

static void put(int flags) {
  int file = open(word(), O_WRONLY | O_CREAT | flags, 0666);
  const char *text = word();
  if (file < 0 || write(file, text, strlen(text)) < 0) printf("%s\n", name(errno));
  if (file >= 0) close(file);
}

static void write_much(int file, long long bytes) {
  memset(buffer, 'x', sizeof buffer);
  while (bytes != 0) {
    long step = bytes < 0 || bytes > (long)sizeof buffer ? (long)sizeof buffer : (long)bytes;
    long written = write(file, buffer, step);
    if (written < 0) exit(1);
    if (bytes > 0) bytes -= written;
  }
}

static int deeper(int levels) {
  volatile char room[64];
  room[levels % 64] = 1;
  return levels == 0 ? 0 : deeper(levels - 1) + room[levels % 64];
}

static void clocks(void) {
  struct timespec before, after, wall;
  clock_gettime(CLOCK_MONOTONIC, &before);
  sleep(3600);
  clock_gettime(CLOCK_MONOTONIC, &after);
  clock_gettime(CLOCK_REALTIME, &wall);
  printf("%lld %lld.%09ld\n", (long long)(after.tv_sec - before.tv_sec), (long long)wall.tv_sec, wall.tv_nsec);
}

static void dice(void) {
  unsigned char bytes[16];
  getentropy(bytes, sizeof bytes);
  for (size_t n = 0; n < sizeof bytes; n++) printf("%02x", bytes[n]);
  printf("\n");
}

static void allocate(void) {
  long mebibytes = number(), n;
  for (n = 0; n != mebibytes; n++) {
    char *volatile block = malloc(1 << 20);
    if (!block) break;
    memset(block, 1, 1 << 20);
  }
  printf("%ld\n", n);
}

static void descriptors(void) {
  long n = 0;
  while (open("/inputs/0", O_RDONLY) >= 0) n++;
  printf("%s %s\n", name(errno), n > 100 ? "many" : "few");
}

static void add_up(void) {
  uint64_t sum = 0;
  int c;
  FILE *file = fopen(word(), "rb");
  while (file && (c = getc(file)) != EOF) sum += (uint64_t)c;
  printf("%llu\n", (unsigned long long)sum);
}

int main(int count, char **arguments) {
  if (count < 2) {
    printf("%s without a payload\n", arguments[0]);
    return 0;
  }
  for (char *verb = strtok(arguments[1], " "); verb; verb = strtok(NULL, " ")) {
    if (!strcmp(verb, "arguments")) printf("%d %s\n", count, arguments[0]);
    else if (!strcmp(verb, "environment")) printf("%s\n", getenv("PATH") ? "some" : "none");
    else if (!strcmp(verb, "stdin")) printf("%s\n", fgets(buffer, sizeof buffer, stdin) ? buffer : "nothing");
    else if (!strcmp(verb, "copy")) copy();
    else if (!strcmp(verb, "pieces")) pieces();
    else if (!strcmp(verb, "sum")) add_up();
    else if (!strcmp(verb, "list")) list();
    else if (!strcmp(verb, "read")) try_open(O_RDONLY);
    else if (!strcmp(verb, "write")) try_open(O_WRONLY);
    else if (!strcmp(verb, "create")) try_open(O_WRONLY | O_CREAT);
    else if (!strcmp(verb, "exclusive")) try_open(O_WRONLY | O_CREAT | O_EXCL);
    else if (!strcmp(verb, "put")) put(O_TRUNC);
    else if (!strcmp(verb, "over")) put(0);
    else if (!strcmp(verb, "append")) put(O_APPEND);
    else if (!strcmp(verb, "unlink")) printf("%s\n", name(unlink(word()) ? errno : 0));
    else if (!strcmp(verb, "mkdir")) printf("%s\n", name(mkdir(word(), 0777) ? errno : 0));
    else if (!strcmp(verb, "rename")) printf("%s\n", name(rename("/inputs/0", word()) ? errno : 0));
    else if (!strcmp(verb, "fill")) {
      int file = open(word(), O_WRONLY | O_CREAT, 0666);
      write_much(file, number());
    }
    else if (!strcmp(verb, "print")) write_much(1, number());
    else if (!strcmp(verb, "complain")) fprintf(stderr, "%s\n", word());
    else if (!strcmp(verb, "grumble")) write_much(2, number());
    else if (!strcmp(verb, "exit")) exit((int)number());
    else if (!strcmp(verb, "trap")) __builtin_trap();
    else if (!strcmp(verb, "loop")) for (;;) __asm__ volatile("");
    else if (!strcmp(verb, "sleep")) printf("%u\n", sleep((unsigned)number()));
    else if (!strcmp(verb, "doze")) for (;;) sleep(3600);
    else if (!strcmp(verb, "recurse")) printf("%d\n", deeper((int)number()) > 0);
    else if (!strcmp(verb, "allocate")) allocate();
    else if (!strcmp(verb, "descriptors")) descriptors();
    else if (!strcmp(verb, "clocks")) clocks();
    else if (!strcmp(verb, "dice")) dice();
    else {
      fprintf(stderr, "what is %s?\n", verb);
      return 2;
    }
  }
  return 0;
}
