/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/rtnetlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

int rtnetlink_error(const uint8_t *data, size_t size) {
        int error;

        if (size < sizeof(error))
                return -EBADMSG;
        memcpy(&error, data, sizeof(error));
        return error < 0 && error >= -4095 ? error : -EBADMSG;
}

int rtnetlink_each(const void *data, size_t size, uint16_t type,
                   void (*found)(void *userdata, const uint8_t *data, size_t size), void *userdata) {
        const uint8_t *p = data;

        while (size >= sizeof(struct nlmsghdr)) {
                struct nlmsghdr head;
                size_t step;

                memcpy(&head, p, sizeof(head));
                if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > size)
                        return -EBADMSG;
                if (head.nlmsg_type == NLMSG_DONE)
                        return 1;
                if (head.nlmsg_type == NLMSG_ERROR)
                        return rtnetlink_error(p + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN);
                if (head.nlmsg_type == type)
                        found(userdata, p + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN);
                step = NLMSG_ALIGN(head.nlmsg_len);
                if (step >= size)
                        return 0;
                p += step;
                size -= step;
        }
        return size == 0 ? 0 : -EBADMSG;
}
