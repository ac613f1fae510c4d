/*
 * Durable writes from a loop of epoll: the loop never waits for the disk.
 *
 *     async_epoll DIR        the store's folder; it is made where it is not there
 *
 * A timer brings work: some orders at a time. Each is written asynchronously and is confirmed when
 * its callback says that it is durable. Many share one sync, which the store's own thread does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tarn.h"

enum { ORDERS = 2000, AT_A_TIME = 20 };

struct order {
    unsigned number;
    struct shop *shop;
};

struct shop {
    tarn_store *store;
    tarn_namespace *orders;
    int loop, timer;
    unsigned taken, confirmed, failed;
    struct order all[ORDERS];
};

static void check(tarn_status status, const char *what)
{
    if (status == TARN_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, tarn_last_error()->message);
    exit(1);
}

/* Called by tarn_events_dispatch(), once for each write that returned TARN_OK. */
static void confirm(void *context, tarn_status status)
{
    const struct order *order = context;

    if (status == TARN_OK)
        order->shop->confirmed++;
    else
        order->shop->failed++; /* it may be lost when power is: the customer must not be told yes */
}

static void take_orders(struct shop *shop)
{
    uint64_t expirations;

    if (read(shop->timer, &expirations, sizeof expirations) < 0)
        return; /* it was not the timer */
    for (unsigned i = 0; i < AT_A_TIME && shop->taken < ORDERS; i++) {
        struct order *order = &shop->all[shop->taken];
        char key[32];
        int length = snprintf(key, sizeof key, "order-%u", shop->taken);

        *order = (struct order){.number = shop->taken++, .shop = shop};
        check(tarn_set_async(shop->orders, tarn_slice_of(key, (size_t)length),
                             tarn_slice_of(&order->number, sizeof order->number), confirm, order,
                             NULL, NULL),
              "writing an order");
    }
}

static void watch(struct shop *shop, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};

    if (epoll_ctl(shop->loop, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

static void open_shop(struct shop *shop, const char *dir)
{
    const struct tarn_namespace_options options = {
        .size = sizeof options, .engine = TARN_ENGINE_LOG, .sync = TARN_SYNC_NONE};
    const struct itimerspec every_millisecond = {.it_interval = {0, 1000000},
                                                 .it_value = {0, 1000000}};
    tarn_status status;
    int descriptor;

    check(tarn_open(dir, NULL, &shop->store), "opening");
    status = tarn_namespace_open(shop->store, tarn_slice_of("orders", 6), &shop->orders);
    if (status == TARN_NAMESPACE_NOT_FOUND)
        status =
            tarn_namespace_create(shop->store, tarn_slice_of("orders", 6), &options, &shop->orders);
    check(status, "opening the namespace");
    check(tarn_events_descriptor(shop->store, &descriptor), "making the descriptor");
    shop->loop = epoll_create1(EPOLL_CLOEXEC);
    shop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (shop->loop < 0 || timerfd_settime(shop->timer, 0, &every_millisecond, NULL) != 0) {
        perror("making the loop");
        exit(1);
    }
    watch(shop, descriptor);
    watch(shop, shop->timer);
}

int main(int argc, char **argv)
{
    static struct shop shop;

    if (argc != 2) {
        fprintf(stderr, "usage: async_epoll DIR\n");
        return 2;
    }
    open_shop(&shop, argv[1]);
    while (shop.confirmed + shop.failed < ORDERS) {
        struct epoll_event events[8];
        int count = epoll_wait(shop.loop, events, 8, -1);

        for (int i = 0; i < count; i++)
            if (events[i].data.fd == shop.timer)
                take_orders(&shop);
            else
                check(tarn_events_dispatch(shop.store, 0, NULL), "dispatching");
    }
    close(shop.timer);
    close(shop.loop); /* before the store, whose descriptor is in it */
    tarn_namespace_close(shop.orders);
    check(tarn_close(shop.store), "closing");
    printf("%u orders confirmed, %u failed\n", shop.confirmed, shop.failed);
    return shop.failed != 0;
}
