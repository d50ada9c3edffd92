/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's answers about routes and links; pure, so that they can be tested with any bytes. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "nss/routes.h"

/* The body of the first message, if it is one of that type. */
static int check_head(const uint8_t *data, size_t size, uint16_t type, size_t body, size_t *ret_size) {
        struct nlmsghdr head;

        if (size < sizeof(head))
                return -EBADMSG;
        memcpy(&head, data, sizeof(head));
        if (head.nlmsg_len > size || head.nlmsg_len < NLMSG_LENGTH(0))
                return -EBADMSG;
        if (head.nlmsg_type == NLMSG_ERROR) {
                int error;

                if (head.nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
                        return -EBADMSG;
                memcpy(&error, data + NLMSG_HDRLEN, sizeof(error));
                return error < 0 && error > -4096 ? error : -EBADMSG;
        }
        if (head.nlmsg_type != type || head.nlmsg_len < NLMSG_LENGTH(body))
                return -EBADMSG;
        *ret_size = head.nlmsg_len;
        return 0;
}

static bool next_attribute(const uint8_t *data, size_t size, size_t *at, struct rtattr *ret,
                           const uint8_t **ret_payload) {
        if (*at > size || size - *at < sizeof(*ret))
                return false;
        memcpy(ret, data + *at, sizeof(*ret));
        if (ret->rta_len < RTA_LENGTH(0) || ret->rta_len > size - *at)
                return false;
        *ret_payload = data + *at + RTA_LENGTH(0);
        *at += RTA_ALIGN(ret->rta_len);
        return true;
}

static void take_number(const struct rtattr *attribute, const uint8_t *payload, uint32_t *ret) {
        if (attribute->rta_len >= RTA_LENGTH(sizeof(*ret)))
                memcpy(ret, payload, sizeof(*ret));
}

int routes_decode_route(const void *data, size_t size, uint32_t *ret_ifindex) {
        size_t at = NLMSG_SPACE(sizeof(struct rtmsg));
        uint32_t ifindex = 0;
        const uint8_t *payload;
        struct rtattr attribute;
        struct rtmsg body;
        int r = check_head(data, size, RTM_NEWROUTE, sizeof(body), &size);

        if (r < 0)
                return r;
        memcpy(&body, (const uint8_t *) data + NLMSG_HDRLEN, sizeof(body));
        if (body.rtm_type != RTN_UNICAST)
                return -ENOENT;
        while (next_attribute(data, size, &at, &attribute, &payload)) {
                if (attribute.rta_type == RTA_GATEWAY || attribute.rta_type == RTA_VIA)
                        return -ENOENT;
                if (attribute.rta_type == RTA_OIF)
                        take_number(&attribute, payload, &ifindex);
        }
        if (ifindex == 0)
                return -ENOENT;
        *ret_ifindex = ifindex;
        return 0;
}

int routes_decode_link(const void *data, size_t size, uint32_t *ret_ifindex) {
        size_t at = NLMSG_SPACE(sizeof(struct ifinfomsg));
        uint32_t master = 0;
        const uint8_t *payload;
        struct rtattr attribute;
        int r = check_head(data, size, RTM_NEWLINK, sizeof(struct ifinfomsg), &size);

        if (r < 0)
                return r;
        while (next_attribute(data, size, &at, &attribute, &payload))
                if (attribute.rta_type == IFLA_MASTER)
                        take_number(&attribute, payload, &master);
        *ret_ifindex = master;
        return 0;
}
