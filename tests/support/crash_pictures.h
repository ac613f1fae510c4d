/*
 * What the tests of crash states stand on: a disk with a durable, empty folder /db, and pictures of
 * what a power cut leaves of it.
 *
 * A picture tells the files in /db by name with what they hold, where a zero reads '.', as in
 * "a=hello b=..". A folder in it is followed by a slash and what it holds, and a file that is
 * larger than a sector is told by the first byte of each sector. crash_pictures() gathers those of
 * all states of the moment, each once.
 *
 * The checks stop the test (cmocka jumps out of it): one thread at a time.
 */
#ifndef TARN_TESTS_CRASH_PICTURES_H
#define TARN_TESTS_CRASH_PICTURES_H

#include "sim_crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_ok(call) assert_int_equal((call), TARN_OK)
#define SECTOR          512
#define PICTURES_MAX    4000
#define PICTURE_BYTES   120
#define NAMES_MAX       8

extern struct sim_disk *disk;
extern const struct tarn__os *os; /* the disk's table */
extern struct tarn__directory *db;
extern const struct sim_crash_options crash_plain; /* options without a bound */

/* The pictures gathered last. */
extern char gathered[PICTURES_MAX][PICTURE_BYTES];
extern size_t gathered_count;

struct names {
    char names[NAMES_MAX][32];
    size_t count;
};

/* cmocka's setup and teardown. */
int crash_set_up(void **state);
int crash_tear_down(void **state);

/* Files in /db. What is durable is so with its name; durable_sectors() writes so many full of the
 * letter a. */
struct tarn__file *create(const char *name);
struct tarn__file *durable(const char *name, const char *bytes);
struct tarn__file *durable_sectors(const char *name, size_t sectors);
void put(struct tarn__file *file, const char *bytes, uint64_t offset);

/* For sim_disk_list(), with a struct names. */
bool take_name(void *context, const char *name);

/* For sim_crash_states(): gathers one picture, without a context. */
bool gather(void *context, struct sim_disk *crashed, const char *choice);

/* Gathers the pictures of this moment, and tells how many there are; whether one is among them. */
size_t pictures(void);
bool pictured(const char *picture);
void add_text(char picture[PICTURE_BYTES], const char *text);

#define assert_pictured(picture) assert_true(pictured(picture))
#define assert_only(picture)                                                                       \
    do {                                                                                           \
        assert_int_equal(pictures(), 1);                                                           \
        assert_string_equal(gathered[0], picture);                                                 \
    } while (0)

#endif
