/*
 * A fresh folder for one test, and its removal with all that is in it.
 *
 * The folder is made under $TMPDIR, or /tmp. These functions call the system themselves and not
 * through a table, so that a fault that a test puts in does not reach them.
 */
#ifndef TARN_TESTS_TEST_FOLDER_H
#define TARN_TESTS_TEST_FOLDER_H

#include <stddef.h>

/* Makes a folder and writes its path to path, which has room for bytes. 0, or -1. */
int test_folder_make(char *path, size_t bytes);

/* Removes the folder and everything in it; symbolic links are removed, not followed. 0, or -1. */
int test_folder_remove(const char *path);

/* The number of descriptors that the process has open, of the first 1,024. */
int test_open_descriptors(void);

/* Runs body in a forked child, and hands out what it returned (0 to 255); -1 if the child died
 * otherwise. The child must not use the assertions of cmocka. */
int test_run_in_child(int (*body)(void));

#endif
