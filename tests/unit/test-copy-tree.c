/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of trees: all that a file is, nothing that is not of the tree, and nothing at all after a failure. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/copy-tree.h"
#include "sys/remove-tree.h"

static char place[] = "/var/tmp/muster-test-copy-XXXXXX";
static int top = -EBADF;
static const struct copy_tree plainly;

static void write_at(int dir, const char *path, const char *text, mode_t mode) {
        AUTO_CLOSE int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(fchmod(fd, mode), 0);
}

static int set_up(void **state) {
        if (!mkdtemp(place))
                return -1;
        top = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return 0;
}

static int tear_down(void **state) {
        close(top);
        return remove_tree(place);
}

static int fresh(void **state) {
        return remove_tree_at(top, "from") < 0 || remove_tree_at(top, "to") < 0 || mkdirat(top, "from", 0755) < 0 ? -1
                                                                                                                  : 0;
}

static int copy(const struct copy_tree *how) {
        AUTO_CLOSE int from = openat(top, "from", O_PATH | O_DIRECTORY | O_CLOEXEC);

        assert_true(from >= 0);
        return copy_tree(from, top, "to", how);
}

static struct stat look(const char *path) {
        struct stat st = { 0 };

        if (fstatat(top, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                st.st_mode = 0;
        return st;
}

static void assert_same(const char *a, const char *b) {
        struct stat x = look(a), y = look(b);

        assert_true(x.st_mode != 0);
        assert_int_equal(x.st_mode, y.st_mode);
        assert_int_equal(x.st_uid, y.st_uid);
        assert_int_equal(x.st_gid, y.st_gid);
        assert_int_equal(x.st_rdev, y.st_rdev);
        assert_int_equal(x.st_mtim.tv_sec, y.st_mtim.tv_sec);
        assert_int_equal(x.st_mtim.tv_nsec, y.st_mtim.tv_nsec);
        if (!S_ISDIR(x.st_mode))
                assert_int_equal(x.st_size, y.st_size);
}

static void assert_text(const char *path, const char *text) {
        AUTO_CLOSE int fd = openat(top, path, O_RDONLY | O_CLOEXEC);
        char buffer[64] = "";

        assert_true(fd >= 0);
        assert_true(read(fd, buffer, sizeof(buffer) - 1) >= 0);
        assert_string_equal(buffer, text);
}

static void test_what_files_are(void **state) {
        static const char *const entries[] = { "dir", "dir/file", "link", "dangling", "fifo", "socket", "empty" };
        const struct timespec old[2] = { { 1000000000, 1 }, { 1000000000, 123456789 } };
        char a[64], b[64];

        assert_int_equal(mkdirat(top, "from/dir", 01750), 0);
        write_at(top, "from/dir/file", "content", 04711);
        write_at(top, "from/empty", "", 0);
        assert_int_equal(symlinkat("/etc/passwd", top, "from/link"), 0);
        assert_int_equal(symlinkat("nothing", top, "from/dangling"), 0);
        assert_int_equal(mknodat(top, "from/fifo", S_IFIFO | 0640, 0), 0);
        assert_int_equal(mknodat(top, "from/socket", S_IFSOCK | 0600, 0), 0);
        for (size_t i = ELEMENTS(entries); i-- > 0;) {
                snprintf(a, sizeof(a), "from/%s", entries[i]);
                assert_int_equal(utimensat(top, a, old, AT_SYMLINK_NOFOLLOW), 0);
        }
        assert_int_equal(copy(&plainly), 0);
        assert_same("from", "to");
        for (size_t i = 0; i < ELEMENTS(entries); i++) {
                snprintf(a, sizeof(a), "from/%s", entries[i]);
                snprintf(b, sizeof(b), "to/%s", entries[i]);
                assert_same(a, b);
        }
        assert_text("to/dir/file", "content");
        assert_int_equal(copy(&plainly), -EEXIST);
        assert_text("to/dir/file", "content"); /* what was there is not ours to remove */
}

static void need_root(void) {
        if (geteuid() == 0)
                return;
        print_message("skipped: only root can give files away and make devices\n");
        skip();
}

static void test_owners_and_devices(void **state) {
        need_root();
        write_at(top, "from/file", "x", 0);
        assert_int_equal(fchownat(top, "from/file", 1234, 2147352576, 0), 0);
        assert_int_equal(fchmodat(top, "from/file", 06755, 0), 0);
        assert_int_equal(symlinkat("x", top, "from/link"), 0);
        assert_int_equal(fchownat(top, "from/link", 5, 6, AT_SYMLINK_NOFOLLOW), 0);
        if (mknodat(top, "from/null", S_IFCHR | 0666, makedev(1, 3)) < 0)
                print_message("no device can be made here: %s\n", strerror(errno));
        assert_int_equal(copy(&plainly), 0);
        assert_same("from/file", "to/file");
        assert_same("from/link", "to/link");
        if (look("from/null").st_mode)
                assert_same("from/null", "to/null");
}

static void test_extended_attributes(void **state) {
        /* cap_net_raw+ep, and an ACL with an entry for user 1000: linux/capability.h, linux/posix_acl_xattr.h */
        static const unsigned char capability[] = { 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
        static const unsigned char acl[] = { 2, 0,    0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  4,
                                             0, 0xe8, 3,   0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                                             4, 0,    255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255 };
        static const struct {
                const char *name;
                const void *value;
                size_t size;
        } cases[] = {
                { "user.muster", "a value", 7 },
                { "user.empty", "", 0 },
                { "security.capability", capability, sizeof(capability) },
                { "system.posix_acl_access", acl, sizeof(acl) },
        };
        AUTO_CLOSE int from = -EBADF, to = -EBADF;

        need_root();
        write_at(top, "from/file", "x", 0755);
        from = openat(top, "from/file", O_RDONLY | O_CLOEXEC);
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (fsetxattr(from, cases[i].name, cases[i].value, cases[i].size, 0) < 0) {
                        print_message("skipped: no %s in /var/tmp: %s\n", cases[i].name, strerror(errno));
                        skip();
                }
        assert_int_equal(copy(&plainly), 0);
        assert_same("from/file", "to/file");
        to = openat(top, "to/file", O_RDONLY | O_CLOEXEC);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                unsigned char value[128];

                assert_int_equal(fgetxattr(to, cases[i].name, value, sizeof(value)), cases[i].size);
                assert_memory_equal(value, cases[i].value, cases[i].size);
        }
}

static void test_hard_links(void **state) {
        assert_int_equal(mkdirat(top, "from/a", 0755), 0);
        assert_int_equal(mkdirat(top, "from/b", 0755), 0);
        write_at(top, "from/a/x", "text", 0644);
        assert_int_equal(linkat(top, "from/a/x", top, "from/b/y", 0), 0);
        assert_int_equal(linkat(top, "from/a/x", top, "from/z", 0), 0);
        assert_int_equal(copy(&plainly), 0);
        assert_int_equal(look("to/a/x").st_nlink, 3);
        assert_int_equal(look("to/a/x").st_ino, look("to/b/y").st_ino);
        assert_int_equal(look("to/a/x").st_ino, look("to/z").st_ino);
        assert_true(look("to/z").st_ino != look("from/z").st_ino);
}

static void test_holes(void **state) {
        AUTO_CLOSE int fd = openat(top, "from/sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0600), to = -EBADF;
        static const off_t size = 64 << 20;
        char text[6] = "";

        assert_int_equal(pwrite(fd, "first", 5, 10 << 20), 5);
        assert_int_equal(pwrite(fd, "last", 4, 40 << 20), 4);
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(copy(&plainly), 0);
        assert_int_equal(look("to/sparse").st_size, size);
        assert_true(look("to/sparse").st_blocks * 512 < 1 << 20);
        to = openat(top, "to/sparse", O_RDONLY | O_CLOEXEC);
        assert_int_equal(pread(to, text, 5, 10 << 20), 5);
        assert_string_equal(text, "first");
        assert_int_equal(pread(to, text, 4, 40 << 20), 4);
        assert_memory_equal(text, "last", 4);
}

static bool at_once(void *userdata) {
        return true;
}

static bool after_three(void *userdata) {
        return ++*(int *) userdata > 3;
}

static void test_interrupted(void **state) {
        int asked = 0;

        for (char name[] = "from/a"; name[5] < 'h'; name[5]++)
                write_at(top, name, "x", 0600);
        assert_int_equal(copy(&(struct copy_tree){ .interrupted = at_once }), -EINTR);
        assert_int_equal(look("to").st_mode, 0);
        assert_int_equal(copy(&(struct copy_tree){ .interrupted = after_three, .userdata = &asked }), -EINTR);
        assert_int_equal(look("to").st_mode, 0);
        assert_int_equal(asked, 4);
}

static void test_into_itself(void **state) {
        AUTO_CLOSE int from = openat(top, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        write_at(top, "from/file", "x", 0600);
        write_at(top, "from/.#left-over", "x", 0600);
        assert_int_equal(copy_tree(from, from, "copy", &(struct copy_tree){ .top_without = ".#" }), 0);
        assert_text("from/copy/file", "x");
        assert_int_equal(look("from/copy/copy").st_mode, 0);
        assert_int_equal(look("from/copy/.#left-over").st_mode, 0);
}

static void test_too_deep(void **state) {
        int fd = openat(top, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (int i = 0; i < 300; i++) {
                int next;

                assert_int_equal(mkdirat(fd, "d", 0700), 0);
                next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                close(fd);
                fd = next;
        }
        close(fd);
        assert_int_equal(copy(&plainly), -ELOOP);
        assert_int_equal(look("to").st_mode, 0);
        /* What a container nested that deep has to be taken away by other means: upwards, a part at a time. */
        while (remove_tree_at(top, "from") < 0) {
                char half[512] = "from";

                for (int i = 0; i < 200; i++)
                        strcat(half, "/d");
                assert_int_equal(renameat(top, half, top, "rest"), 0);
                assert_int_equal(remove_tree_at(top, "rest"), 0);
        }
}

static void test_mounts(void **state) {
        need_root();
        assert_int_equal(mkdirat(top, "from/mnt", 0700), 0);
        write_at(top, "from/mnt/below", "x", 0600);
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                print_message("skipped: no mount namespace: %s\n", strerror(errno));
                skip();
        }
        close(top); /* it belongs to the old namespace */
        top = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(fchdir(top), 0);
        assert_int_equal(mount("tmpfs", "from/mnt", "tmpfs", 0, NULL), 0);
        write_at(top, "from/mnt/on-it", "x", 0600);
        assert_int_equal(copy(&plainly), 0);
        assert_true(S_ISDIR(look("to/mnt").st_mode));
        assert_int_equal(look("to/mnt/on-it").st_mode, 0);
        assert_int_equal(look("to/mnt/below").st_mode, 0);
        assert_int_equal(remove_tree_at(top, "from"), -EXDEV); /* not led into the mount */
        assert_true(look("from/mnt/on-it").st_mode != 0);
        assert_int_equal(umount2("from/mnt", MNT_DETACH), 0);
        assert_int_equal(chdir("/"), 0);
}

/* A directory is swapped for a symlink to a treasure, and back, as fast as can be. */
static void test_swapped(void **state) {
        int treasures = 0;
        pid_t pid;

        assert_int_equal(mkdirat(top, "treasure", 0755), 0);
        write_at(top, "treasure/gold", "gold", 0600);
        assert_int_equal(mkdirat(top, "from/a", 0755), 0);
        assert_int_equal(symlinkat("../treasure", top, "from/b"), 0);
        pid = fork();
        if (pid == 0)
                for (;;)
                        renameat2(top, "from/a", top, "from/b", RENAME_EXCHANGE);
        for (int i = 0; i < 500; i++) {
                int r = copy(&plainly);

                if (r >= 0)
                        treasures += look("to/a").st_mode && faccessat(top, "to/a/gold", F_OK, 0) == 0 &&
                                     !S_ISLNK(look("to/a").st_mode);
                else
                        assert_int_equal(r, -ENOTDIR);
                assert_int_equal(remove_tree_at(top, "to"), 0);
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        assert_int_equal(treasures, 0);
        assert_text("treasure/gold", "gold");
}

static void test_reflinks(void **state) {
        write_at(top, "from/file", "x", 0600);
        assert_int_equal(copy(&(struct copy_tree){ .reflinks_only = true }), copy_can_reflink(top) ? 0 : -EOPNOTSUPP);
        if (!copy_can_reflink(top))
                assert_int_equal(look("to").st_mode, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_what_files_are, fresh),
                cmocka_unit_test_setup(test_owners_and_devices, fresh),
                cmocka_unit_test_setup(test_extended_attributes, fresh),
                cmocka_unit_test_setup(test_hard_links, fresh),
                cmocka_unit_test_setup(test_holes, fresh),
                cmocka_unit_test_setup(test_interrupted, fresh),
                cmocka_unit_test_setup(test_into_itself, fresh),
                cmocka_unit_test_setup(test_too_deep, fresh),
                cmocka_unit_test_setup(test_swapped, fresh),
                cmocka_unit_test_setup(test_reflinks, fresh),
                cmocka_unit_test_setup(test_mounts, fresh),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
