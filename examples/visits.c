#include <inttypes.h>
#include <stdio.h>
#include <tarn.h>

#define BYTES(text) tarn_slice_of(text, sizeof text - 1)

/* Opens the namespace, and makes it where it is not there yet. */
static tarn_status open_pages(tarn_store *store, tarn_namespace **pages)
{
    struct tarn_namespace_options options = {.size = sizeof options};
    tarn_status status = tarn_namespace_open(store, BYTES("pages"), pages);

    options.engine = TARN_ENGINE_LOG;
    if (status == TARN_NAMESPACE_NOT_FOUND)
        status = tarn_namespace_create(store, BYTES("pages"), &options, pages);
    return status;
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "visits.store";
    tarn_store *store = NULL;
    tarn_namespace *pages = NULL;
    int64_t visits = 0;
    tarn_status status = tarn_open(dir, NULL, &store);

    if (status == TARN_OK)
        status = open_pages(store, &pages);
    if (status == TARN_OK)
        status = tarn_increment(pages, BYTES("front page"), 1, &visits);
    if (status == TARN_OK)
        printf("visit %" PRId64 "\n", visits);
    else
        fprintf(stderr, "visits: %s\n", tarn_last_error()->message);
    tarn_namespace_close(pages);
    return tarn_close(store) == TARN_OK && status == TARN_OK ? 0 : 1;
}
