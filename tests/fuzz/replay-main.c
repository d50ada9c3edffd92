/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target over every file of a corpus directory, or (with NAME) the file of that name in each of its directories, then
 * over mutations of them: a fixed, repeatable amount of what a fuzzer does, so that `make check` needs no fuzzer. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1 << 16)
#define MUTATIONS 300 /* for each seed, */
#define RUNS 6000     /* but no more than this in all */

static uint64_t state = 88172645463325252ULL;

static uint64_t next_random(void) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
}

/* A copy on the heap of exactly the size, so that the address sanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size) {
        uint8_t *copy = malloc(size ? size : 1);

        if (!copy)
                abort();
        memcpy(copy, data, size);
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
}

static size_t mutate(uint8_t *data, size_t size) {
        for (uint64_t n = 1 + next_random() % 4; n > 0 && size > 0; n--) {
                size_t at = next_random() % size;

                switch (next_random() % 5) {
                case 0:
                        data[at] = (uint8_t) next_random();
                        break;
                case 1:
                        data[at] ^= (uint8_t) (1 << next_random() % 8);
                        break;
                case 2: /* cut */
                        memmove(data + at, data + at + 1, size - at - 1);
                        size--;
                        break;
                case 3: /* repeat the tail */
                        if (size + (size - at) <= INPUT_MAX) {
                                memmove(data + size, data + at, size - at);
                                size += size - at;
                        }
                        break;
                default:
                        size = at;
                }
        }
        return size;
}

static int replay(const char *path, int mutations) {
        static uint8_t seed[INPUT_MAX], input[INPUT_MAX];
        FILE *f = fopen(path, "rbe");
        size_t size;

        if (!f) {
                perror(path);
                return -1;
        }
        size = fread(seed, 1, sizeof(seed), f);
        fclose(f);
        run(seed, size);
        for (int i = 0; i < mutations; i++) {
                memcpy(input, seed, size);
                run(input, mutate(input, size));
        }
        return 0;
}

static bool is_seed(const struct dirent *entry, const char *name) {
        return entry->d_name[0] != '.' && (!name || entry->d_type == DT_DIR);
}

static int count(DIR *dir, const char *name) {
        struct dirent *entry;
        int n = 0;

        while ((entry = readdir(dir)))
                n += is_seed(entry, name);
        rewinddir(dir);
        return n;
}

int main(int argc, char **argv) {
        struct dirent *entry;
        const char *name = argc == 3 ? argv[2] : NULL;
        int n, mutations;
        char path[4096];
        DIR *dir;

        dir = argc == 2 || name ? opendir(argv[1]) : NULL;
        if (!dir) {
                fprintf(stderr, "Usage: %s CORPUS-DIRECTORY [NAME]\n", argv[0]);
                return 2;
        }
        n = count(dir, name);
        mutations = n * MUTATIONS > RUNS ? RUNS / n : MUTATIONS;
        while ((entry = readdir(dir))) {
                if (!is_seed(entry, name))
                        continue;
                snprintf(path, sizeof(path), "%s/%s%s%s", argv[1], entry->d_name, name ? "/" : "", name ? name : "");
                if (replay(path, mutations) < 0)
                        return 1;
        }
        closedir(dir);
        printf("%d seeds, %d mutations each\n", n, mutations);
        return n > 0 ? 0 : 1;
}
