// What `ogee watch` preloads into a program and whatever that starts. It needs nothing but libc and does nothing but
// wait for LibTorch: once that is in the process, it loads the monitor (libogee_monitor.so) and starts it. Shells and
// other helpers in between never notice it.
//
// From the environment: OGEE_WATCH (the monitor's settings), OGEE_WATCH_MONITOR (the library), OGEE_WATCH_LIBTORCH (the
// libtorch_cpu that it was built with), OGEE_WATCH_SOCKET (where to say why it could not be started).
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

const char* settings = nullptr;  // null: not wanted, or settled
thread_local int depth = 0;      // of calls to dlopen

const char* base_name(const char* path) {
  const char* slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// Writes one line to the socket that `ogee watch` listens on. Quotes and control characters in the text are dropped.
void report(const char* reason, const char* detail) {
  const char* path = getenv("OGEE_WATCH_SOCKET");
  sockaddr_un address{};
  if (!path || strlen(path) >= sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, path);
  char line[1024], clean[800];
  size_t size = 0;
  for (; *detail && size + 1 < sizeof(clean); ++detail)
    if (static_cast<unsigned char>(*detail) >= ' ' && *detail != '"' && *detail != '\\') clean[size++] = *detail;
  clean[size] = 0;
  const int length = snprintf(line, sizeof(line), "{\"event\":\"refused\",\"process\":%d,\"why\":\"%s %s\"}\n",
                              static_cast<int>(getpid()), reason, clean);
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0)
    send(descriptor, line, static_cast<size_t>(length), MSG_NOSIGNAL);
  close(descriptor);
}

int look_at(dl_phdr_info* info, size_t, void* found) {
  if (strncmp(base_name(info->dlpi_name), "libtorch_cpu.so", 15) != 0) return 0;
  *static_cast<const char**>(found) = info->dlpi_name;
  return 1;
}

// Another LibTorch would be loaded beside the program's own, and see nothing or worse.
bool same_library(const char* loaded, const char* expected) {
  struct stat a, b;
  if (stat(loaded, &a) != 0 || stat(expected, &b) != 0) return false;
  if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) return true;
  return strcmp(base_name(loaded), base_name(expected)) == 0 && a.st_size == b.st_size;
}

void start_where_libtorch_is() {
  if (!settings) return;
  const char* loaded = nullptr;
  dl_iterate_phdr(look_at, &loaded);
  if (!loaded) return;
  const char* wanted = settings;
  settings = nullptr;  // the monitor's own loading comes by here, too
  const char* expected = getenv("OGEE_WATCH_LIBTORCH");
  const char* library = getenv("OGEE_WATCH_MONITOR");
  if (expected && !same_library(loaded, expected)) {
    report("it uses another LibTorch than Ogee was built with:", loaded);
  } else if (void* monitor = library ? dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : nullptr) {
    const auto start = reinterpret_cast<const char* (*)(const char*)>(dlsym(monitor, "ogee_watch_start"));
    const char* trouble = start ? start(wanted) : "the library has no monitor";
    if (trouble) report("the monitor could not be started:", trouble);
  } else {
    const char* why = dlerror();
    report("the monitor could not be loaded:", why ? why : "no library named");
  }
}

// Where a library is that is asked for by its bare name. libc looks in the asking library's own search path, too, but
// takes this one for the asking library, so that path is searched here.
bool find_for(const void* caller, const char* file, char (&path)[PATH_MAX]) {
  Dl_info info{};
  link_map* map = nullptr;
  if (!dladdr1(caller, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) || !map || !map->l_ld) return false;
  const char* strings = nullptr;
  const char* where = nullptr;
  for (const ElfW(Dyn)* d = map->l_ld; d->d_tag != DT_NULL; ++d)
    if (d->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(d->d_un.d_ptr);
  for (const ElfW(Dyn)* d = map->l_ld; strings && d->d_tag != DT_NULL; ++d)
    if (d->d_tag == DT_RUNPATH || (d->d_tag == DT_RPATH && !where)) where = strings + d->d_un.d_val;
  const char* first = getenv("LD_LIBRARY_PATH");
  const char* const lists[] = {first, where};
  for (const char* list : lists) {
    for (const char* at = list; at && *at; at += strspn(at, ":")) {
      const int length = static_cast<int>(strcspn(at, ":"));
      int written = 0;
      if (strncmp(at, "$ORIGIN", 7) == 0 || strncmp(at, "${ORIGIN}", 9) == 0) {
        const int skip = at[1] == '{' ? 9 : 7;
        const int folder = static_cast<int>(base_name(info.dli_fname) - info.dli_fname);
        written = snprintf(path, sizeof(path), "%.*s/%.*s/%s", folder, info.dli_fname, length - skip, at + skip, file);
      } else {
        written = snprintf(path, sizeof(path), "%.*s/%s", length, at, file);
      }
      at += length;
      // What libc finds by itself it shall find by itself.
      if (written > 0 && written < PATH_MAX && access(path, R_OK) == 0) return list == where;
    }
  }
  return false;
}

using Main = int (*)(int, char**, char**);
Main program_main = nullptr;

int main_watched(int argc, char** argv, char** environment) {
  settings = getenv("OGEE_WATCH");
  start_where_libtorch_is();
  return program_main(argc, argv, environment);
}

}  // namespace

extern "C" {

// In place of libc's: main starts with LibTorch's static objects ready, and before the program's first tensor.
__attribute__((visibility("default"))) int __libc_start_main(Main main, int argc, char** argv, void (*init)(),
                                                             void (*fini)(), void (*rtld_fini)(), void* stack_end) {
  using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  const auto real = reinterpret_cast<Start>(dlsym(RTLD_NEXT, "__libc_start_main"));
  program_main = main;
  return real(main_watched, argc, argv, init, fini, rtld_fini, stack_end);
}

// In place of libc's: programs such as Python load LibTorch later.
__attribute__((visibility("default"))) void* dlopen(const char* file, int mode) {
  using Open = void* (*)(const char*, int);
  static Open real = nullptr;
  if (!real) real = reinterpret_cast<Open>(dlsym(RTLD_NEXT, "dlopen"));
  char path[PATH_MAX];
  if (file && !strchr(file, '/') && find_for(__builtin_return_address(0), file, path)) file = path;
  // Constructors may load more libraries: only when the outermost call returns have LibTorch's own all run.
  ++depth;
  void* result = real(file, mode);
  if (--depth == 0 && result) start_where_libtorch_is();  // a failure's message stays what it was
  return result;
}
}
