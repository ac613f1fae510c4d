/*
 * What the tables of the report have in common: see report_text.h.
 */
#include "report_text.h"

#include <stdio.h>

static const char *verdict_text(enum figure_verdict verdict)
{
    switch (verdict) {
    case VERDICT_OK:
        return "ok";
    case VERDICT_SHORT:
        return "short";
    case VERDICT_NONE:
        break;
    }
    return "";
}

const char *report_grouped(uint32_t number, char text[REPORT_GROUPED_SIZE])
{
    char digits[16];
    const int length = snprintf(digits, sizeof digits, "%u", number);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            text[used++] = ',';
        }
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

void report_print_cell(const struct series *series, int decimals, int width)
{
    char text[64] = "";
    if (series->count == 1) {
        (void)snprintf(text, sizeof text, "%.*f", decimals, series_median(series));
    } else if (series->count > 1) {
        (void)snprintf(text, sizeof text, "%.*f [%.*f %.*f]", decimals, series_median(series),
                       decimals, series_least(series), decimals, series_most(series));
    }
    printf(" %*s", width, text);
}

void report_print_goal(const struct figure *figure)
{
    if (figure->has_goal) {
        char text[24];
        (void)snprintf(
            text, sizeof text, "%s %g",
            operation_more_is_better(figure->operation) ? ">=" : "<=", figure->operation->goal);
        printf("  %-8s %s", text, verdict_text(figure_verdict(figure)));
    }
    printf("\n");
}
