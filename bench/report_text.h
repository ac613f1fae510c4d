/*
 * What the tables of the report have in common.
 */
#ifndef BENCH_REPORT_TEXT_H
#define BENCH_REPORT_TEXT_H

#include "figure.h"

enum { REPORT_GROUPED_SIZE = 16 };

/* "1,000,000". Returns text. */
const char *report_grouped(uint32_t number, char text[REPORT_GROUPED_SIZE]);

/* Prints median, and in brackets least and most, of a series; blanks if it is empty. */
void report_print_cell(const struct series *series, int decimals, int width);

/* Prints the goal and whether it is reached, and ends the line of a figure. */
void report_print_goal(const struct figure *figure);

#endif
