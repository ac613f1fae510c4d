#include <stdio.h>
#include <tarn.h>

#define BYTES(text) tarn_slice_of(text, sizeof text - 1)

int main(void)
{
    tarn_store *store = NULL;
    tarn_namespace *users = NULL;
    struct tarn_buf name = {0};
    bool fine = tarn_open(NULL, NULL, &store) == TARN_OK &&
                tarn_namespace_create(store, BYTES("users"), NULL, &users) == TARN_OK &&
                tarn_set(users, BYTES("user:1"), BYTES("Ada"), NULL, NULL) == TARN_OK &&
                tarn_get(users, BYTES("user:1"), &name, NULL) == TARN_OK;

    if (fine)
        printf("user:1 is %.*s\n", (int)name.length, (const char *)name.data);
    else
        fprintf(stderr, "tarn: %s\n", tarn_last_error()->message);
    tarn_buf_release(&name);
    tarn_namespace_close(users);
    return tarn_close(store) == TARN_OK && fine ? 0 : 1;
}
