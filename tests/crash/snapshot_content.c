/* What a snapshot's file holds; see the header. */
#include "crash/snapshot_content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_HEADER_BYTES  40
#define BLOCK_HEADER_BYTES 16
#define NUMBER_BYTES       8

enum block_kind { HEAD = 1, NAMESPACE = 2, RECORDS = 3, NAMESPACE_END = 4, END = 255 };

/* Bytes that are left to read; `wrong` once there were not enough. */
struct bytes {
    const uint8_t *at;
    size_t left;
    bool wrong;
};

static const uint8_t *take(struct bytes *bytes, size_t length)
{
    static const uint8_t none[32];
    const uint8_t *taken = bytes->at;

    if (bytes->wrong || length > bytes->left) {
        bytes->wrong = true;
        bytes->left = 0;
        return none;
    }
    bytes->at += length;
    bytes->left -= length;
    return taken;
}

static uint64_t take_number(struct bytes *bytes, size_t length)
{
    const uint8_t *taken = take(bytes, length);
    uint64_t number = 0;

    for (size_t i = length; i > 0; i--)
        number = number << 8 | taken[i - 1];
    return number;
}

static uint64_t take_varint(struct bytes *bytes)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = *take(bytes, 1);

        number |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return number;
    }
    bytes->wrong = true;
    return 0;
}

static struct tarn_slice take_slice(struct bytes *bytes, uint64_t length)
{
    const uint8_t *taken = take(bytes, length);

    return tarn_slice_of(taken, bytes->wrong ? 0 : length);
}

/* ------------------------------------------------------------------------------------------
 * Blocks
 */

static void read_head(struct bytes *block, struct snapshot_content *snapshot)
{
    snapshot->whole = take_number(block, 1) == 2;
    (void)take(block, 16); /* identity of the store: there is but one */
    snapshot->sequence = take_number(block, NUMBER_BYTES);
}

static bool read_namespace(struct bytes *block, struct snapshot_content *snapshot,
                           struct worker_problem *problem)
{
    struct tarn_slice name;
    uint64_t max_keys;
    uint32_t config;

    (void)take(block, NUMBER_BYTES + 1 + 4 + 4); /* number, engine, shards, timeout */
    max_keys = take_number(block, NUMBER_BYTES);
    (void)take(block, NUMBER_BYTES + NUMBER_BYTES); /* the other limits */
    name = take_slice(block, take_varint(block));
    snapshot->ns = worker_namespace_of(name);
    if (block->wrong || snapshot->ns == WORKER_NAMESPACES)
        return worker_wrong(problem, "it has a namespace '%.*s'", (int)name.length,
                            (const char *)name.data);
    if (!worker_config_of(max_keys, &config))
        return worker_wrong(problem, "%s has options in it that nobody has given it",
                            worker_namespace_names[snapshot->ns]);
    snapshot->content.config[snapshot->ns] = config;
    return true;
}

static bool read_records(struct bytes *block, struct snapshot_content *snapshot,
                         struct worker_problem *problem)
{
    while (block->left && !block->wrong) {
        uint64_t key_length, value_length;
        struct tarn_slice key, value;

        (void)take_varint(block); /* the sequence */
        (void)take(block, 2);     /* content type, flags */
        key_length = take_varint(block);
        value_length = take_varint(block);
        key = take_slice(block, key_length);
        value = take_slice(block, value_length);
        if (!block->wrong &&
            !worker_take_record(&snapshot->content, snapshot->ns, key, value, problem))
            return false;
    }
    return true;
}

static bool read_blocks(struct bytes *file, struct snapshot_content *snapshot,
                        struct worker_problem *problem)
{
    enum block_kind kind = HEAD;
    bool right = true;

    memcpy(snapshot->identity, take(file, FILE_HEADER_BYTES) + 16, sizeof snapshot->identity);
    while (right && !file->wrong && kind != END) {
        uint64_t length = take_number(file, 4);
        struct tarn_slice content;
        struct bytes block;

        kind = (enum block_kind)take_number(file, 1);
        (void)take(file, BLOCK_HEADER_BYTES - 5);
        content = take_slice(file, length);
        block = (struct bytes){content.data, content.length, false};
        if (kind == HEAD)
            read_head(&block, snapshot);
        else if (kind == NAMESPACE)
            right = read_namespace(&block, snapshot, problem);
        else if (kind == RECORDS)
            right = read_records(&block, snapshot, problem);
        file->wrong = file->wrong || block.wrong;
    }
    if (right && (file->wrong || file->left))
        return worker_wrong(problem, "it does not end where it should");
    return right;
}

/* ------------------------------------------------------------------------------------------
 * Files
 */

static uint8_t *read_whole(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long size = -1;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size >= 0 && fseek(file, 0, SEEK_SET) == 0)
        bytes = malloc((size_t)size + 1);
    if (bytes)
        *length = fread(bytes, 1, (size_t)size, file);
    fclose(file);
    return bytes;
}

bool snapshot_content_read(const char *folder, const char *file_name,
                           struct snapshot_content *snapshot, struct worker_problem *problem)
{
    struct worker_problem detail = {0};
    struct bytes file = {0};
    char path[512];
    uint8_t *bytes;
    bool right;

    memset(snapshot, 0, sizeof *snapshot);
    snprintf(path, sizeof path, "%.250s/%.250s", folder, file_name);
    snprintf(snapshot->name, sizeof snapshot->name, "%.*s",
             (int)(strlen(file_name) - strlen(".snapshot")), file_name);
    bytes = read_whole(path, &file.left);
    if (!bytes)
        return worker_wrong(problem, "'%s' cannot be read", path);
    file.at = bytes;
    right = read_blocks(&file, snapshot, &detail);
    free(bytes);
    return right || worker_wrong(problem, "'%s': %.900s", path, detail.text);
}
