/* What JSON output is made of, besides the format of records (record.h). */
#ifndef CLI_JSONL_H
#define CLI_JSONL_H

#include "record.h"

/* Writes "NAME":"bytes", or where the bytes are no UTF-8 "NAME64":"base64 of them". */
void jsonl_write_member(struct output *out, const char *name, struct tarn_slice bytes);

#endif
