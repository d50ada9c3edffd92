/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the programs share when they talk to the registry, the parameters of Register and sentences for its refusals; and where
 * the logs of consoles are. */
#include "unit.h"

#include <errno.h>

#include "client/console-logs.h"
#include "client/failure-text.h"
#include "client/register-call.h"

static void test_register_call(void **state) {
        static const struct pidref leader = { .pid = 7, .fd = -EBADF };
        static const unsigned ifindices[] = { 2, 3 };
        static const struct {
                struct register_call call;
                const char *text;
        } cases[] = {
                { { .name = "a", .leader = &leader },
                  "{\"name\":\"a\",\"class\":\"container\",\"leaderProcessId\":{\"pid\":7}}" },
                { { .name = "a",
                    .class = "vm",
                    .leader = &leader,
                    .id = "0f",
                    .service = "s",
                    .root_directory = "/r",
                    .ifindices = ifindices,
                    .n_ifindices = 2 },
                  "{\"name\":\"a\",\"class\":\"vm\",\"leaderProcessId\":{\"pid\":7},"
                  "\"id\":\"0f\",\"ifIndices\":[2,3],\"service\":\"s\",\"rootDirectory\":\"/r\"}" },
                { { .name = "a",
                    .leader = &leader,
                    .id = "",
                    .ssh_address = "x",
                    .ssh_private_key_path = "/k",
                    .control_address = "/c",
                    .has_vsock_cid = true,
                    .vsock_cid = 9,
                    .allocate_unit = true,
                    .interactive = true },
                  "{\"name\":\"a\",\"class\":\"container\",\"leaderProcessId\":{\"pid\":7},\"sshAddress\":\"x\","
                  "\"sshPrivateKeyPath\":\"/k\",\"controlAddress\":\"/c\",\"vSockCid\":9,\"allocateUnit\":true,"
                  "\"allowInteractiveAuthentication\":true}" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_BUF struct buf out = BUF_EMPTY;

                assert_int_equal(register_call_encode(&cases[i].call, &out), 0);
                assert_string_equal(out.data, cases[i].text);
        }
}

/* An identity is worth nothing without the boot in which it was given. */
static void test_identity_comes_with_its_boot(void **state) {
        static const struct pidref leader = { .pid = 7, .fd = -EBADF, .id = 99 };
        AUTO_BUF struct buf out = BUF_EMPTY;

        assert_int_equal(register_call_encode(&(struct register_call){ .name = "a", .leader = &leader }, &out), 0);
        assert_non_null(strstr(out.data, "{\"pid\":7,\"pidfdId\":99,\"bootId\":\""));
}

static void test_refusals(void **state) {
        static const struct {
                const char *error, *parameter;
                int number;
                const char *name, *sentence;
        } cases[] = {
                { "io.systemd.Machine.NoSuchMachine", NULL, 0, "a",
                  "Cannot kill \"a\": there is no machine of that name." },
                { "io.systemd.Machine.NoSuchMachine", NULL, 0, NULL, "Cannot kill: there is no machine of that name." },
                { "org.varlink.service.PermissionDenied", NULL, 0, "a",
                  "Cannot kill \"a\": permission denied; only root, or who is granted the polkit action "
                  "org.freedesktop.machine1.manage-machines, may do this: use sudo or pkexec, or make a rule "
                  "(polkit(8))." },
                { "io.systemd.System", NULL, ESRCH, "a", "Cannot kill \"a\": the process is not there (any more)." },
                { "io.systemd.System", NULL, EPERM, "a",
                  "Cannot kill \"a\": permission denied; only root, or who is granted the polkit action "
                  "org.freedesktop.machine1.manage-machines, may do this: use sudo or pkexec, or make a rule "
                  "(polkit(8))." },
                { "io.systemd.System", NULL, EBUSY, "a", "Cannot kill \"a\": Device or resource busy." },
                { "org.varlink.service.InvalidParameter", "na\nme", 0, "a",
                  "Cannot kill \"a\": the registry does not accept the value of \"na\\x0ame\"." },
                { "new.Error\x1b", NULL, 0, "b\x7f", "Cannot kill \"b\\x7f\": the registry answered new.Error\\x1b." },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct varlink_answer answer = {
                        .error = (char *) cases[i].error,
                        .parameter = (char *) cases[i].parameter,
                        .error_number = cases[i].number,
                };
                AUTO_BUF struct buf out = BUF_EMPTY;

                assert_true(failure_text_answer(&answer, "kill", cases[i].name, &out) >= 0);
                assert_string_equal(out.data, cases[i].sentence);
        }
}

static void test_connections(void **state) {
        static const struct {
                int error;
                const char *part;
        } cases[] = {
                { -EHOSTDOWN, "listens on /r/systemd/machine/io.systemd.Machine. Start" },
                { -ETIMEDOUT, "in time" },
                { -ECONNRESET, "closed the connection" },
                { -EBADMSG, "makes no sense" },
                { -EMSGSIZE, "makes no sense" },
                { -EACCES, "No permission" },
                { -ENAMETOOLONG, "File name too long." },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_BUF struct buf out = BUF_EMPTY;

                assert_true(failure_text_connection("/r", cases[i].error, &out) >= 0);
                assert_non_null(strstr(out.data, cases[i].part));
        }
}

/* NULL: none. */
static void test_log_names(void **state) {
        static const struct {
                const char *file, *machine;
        } cases[] = {
                { "web.log", "web" },  { "a.b-c.log", "a.b-c" }, { "web.log.log", "web.log" },
                { "web.log.1", NULL }, { "web", NULL },          { ".log", NULL },
                { "..log", NULL },     { "a_b.log", NULL },      { "../web.log", NULL },
                { "-web.log", NULL },  { "web.log ", NULL },     { "", NULL },
                { ".web.log", NULL },
        };
        char machine[MACHINE_NAME_MAX + 1], file[CONSOLE_LOG_NAME_SIZE], longest[MACHINE_NAME_MAX + 2];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                bool found = console_log_machine_name(cases[i].file, machine);

                if (!streq_ptr(found ? machine : NULL, cases[i].machine))
                        fail_msg("%s: %s", cases[i].file, found ? machine : "none");
                if (!found)
                        continue;
                console_log_file_name(machine, 0, file);
                assert_string_equal(file, cases[i].file);
        }
        memset(longest, 'x', sizeof(longest) - 1);
        longest[MACHINE_NAME_MAX] = '\0';
        console_log_file_name(longest, CONSOLE_LOGS_FILES_MAX - 1, file);
        assert_non_null(endswith(file, "x.log.15"));
        console_log_file_name(longest, 0, file);
        assert_true(console_log_machine_name(file, machine));
        assert_string_equal(machine, longest);
}

static void set(const char *name, const char *value) {
        if (value)
                setenv(name, value, 1);
        else
                unsetenv(name);
}

static void test_log_directories(void **state) {
        static const struct {
                const char *variable, *state, *home;
                bool own;
                int r;
                const char *directory;
        } cases[] = {
                { NULL, NULL, "/h", false, 0, CONSOLE_LOGS_DIRECTORY },
                { "", NULL, "/h", false, 0, CONSOLE_LOGS_DIRECTORY },
                { NULL, NULL, "/h", true, 0, "/h/.local/state/muster/log" },
                { NULL, "/s", "/h", true, 0, "/s/muster/log" },
                { NULL, "s", "/h", true, 0,
                  "/h/.local/state/muster/log" }, /* the specification: relative ones are ignored */
                { NULL, NULL, "h", true, -ENOENT, NULL },
                { NULL, NULL, NULL, true, -ENOENT, NULL },
                { "/l", "/s", "/h", true, 0, "/l" },
                { "/l", "/s", "/h", false, 0, "/l" },
                { "l", NULL, "/h", false, -EINVAL, NULL },
                { "/l/../m", NULL, "/h", false, -EINVAL, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO_FREE char *directory = NULL;

                set(CONSOLE_LOGS_ENVIRONMENT, cases[i].variable);
                set("XDG_STATE_HOME", cases[i].state);
                set("HOME", cases[i].home);
                assert_int_equal(console_logs_directory(cases[i].own, &directory), cases[i].r);
                assert_true(streq_ptr(directory, cases[i].directory));
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_register_call), cmocka_unit_test(test_identity_comes_with_its_boot),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_connections),
        cmocka_unit_test(test_log_names),     cmocka_unit_test(test_log_directories),
};

RUN_TESTS(tests)
