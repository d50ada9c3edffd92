/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network: interfaces given to the container or made for it, and ports of the host that lead into it. Names are checked for
 * what the kernel accepts; whether they exist is the plan's to find out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "spec/spec-setters.h"
#include "spec/spec.h"

#define INTERFACE_NAME_MAX 15                  /* IFNAMSIZ - 1 */
#define ZONE_NAME_MAX (INTERFACE_NAME_MAX - 3) /* behind "vz-" */
#define INTERFACE_RIGHT "must be 1 to 15 characters without '/', ':', '%%' and blanks, and not only digits"

/* netdevice(7), and what the tools around it cannot tell from something else: numbers, "all" and "default". */
static bool interface_name_is_valid(const char *s) {
        size_t size = strlen(s);

        if (size == 0 || size > INTERFACE_NAME_MAX || streq(s, ".") || streq(s, "..") || streq(s, "all") ||
            streq(s, "default"))
                return false;
        for (const char *c = s; *c; c++)
                if (*c <= ' ' || *c >= 0x7f || strchr("/:%", *c))
                        return false;
        return strspn(s, "0123456789") < size;
}

/* systemd-nspawn reads no further in a file with a wrong name of an interface of the host. */
static int wrong_interface(const struct setting *v, const char *word) {
        int r = value_wrong_word(v, word, INTERFACE_RIGHT ".");

        return v->in_file && v->field != SPEC_LINK_VETH_EXTRA ? -EBADMSG : r;
}

int set_private_network(struct spec *s, const struct setting *v) {
        bool value = !v->value;

        if (v->value && *v->value && value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes or no.");
        s->network.private_network = value;
        return 0;
}

int set_veth(struct spec *s, const struct setting *v) {
        bool value = !v->value;

        if (v->value && *v->value && value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes or no.");
        s->network.veth = value;
        return 0;
}

int set_bridge(struct spec *s, const struct setting *v) {
        if (!(v->in_file && !*v->value) && !interface_name_is_valid(v->value))
                return value_wrong(v, INTERFACE_RIGHT ".");
        return str_replace(&s->network.bridge, v->value);
}

int set_zone(struct spec *s, const struct setting *v) {
        if (!(v->in_file && !*v->value) && (!interface_name_is_valid(v->value) || strlen(v->value) > ZONE_NAME_MAX))
                return value_wrong(v,
                                   "must be 1 to %d characters without '/', ':', '%%' and blanks, and not only digits.",
                                   ZONE_NAME_MAX);
        return str_replace(&s->network.zone, v->value);
}

int set_namespace_path(struct spec *s, const struct setting *v) {
        if (!(v->in_file && !*v->value) && (*v->value != '/' || !value_is_text(v->value)))
                return value_wrong(v, "must be the absolute path of a network namespace.");
        return str_replace(&s->network.namespace_path, v->value);
}

/* HOST[:CONTAINER] */
static int parse_link(const struct setting *v, const char *word, struct spec_link *ret) {
        struct spec_link link = { .type = (enum spec_link_type) v->field };
        const char *colon = strchr(word, ':');
        size_t size = colon ? (size_t) (colon - word) : strlen(word);

        if (size > INTERFACE_NAME_MAX)
                return wrong_interface(v, word);
        memcpy(link.host, word, size);
        if (!interface_name_is_valid(link.host) || (colon && !interface_name_is_valid(colon + 1)))
                return wrong_interface(v, word);
        if (colon)
                strcpy(link.container, colon + 1); /* checked: at most 15 bytes */
        else if (link.type == SPEC_LINK_INTERFACE || link.type == SPEC_LINK_VETH_EXTRA)
                strcpy(link.container, link.host);
        *ret = link;
        return 0;
}

static void remove_links(struct spec_network *n, enum spec_link_type type) {
        size_t kept = 0;

        for (size_t i = 0; i < n->n_links; i++)
                if (n->links[i].type != type)
                        n->links[kept++] = n->links[i];
        n->n_links = kept;
}

int set_links(struct spec *s, const struct setting *v) {
        AUTO(strv_freep) char **words = NULL;
        struct spec_link link;
        int r;

        if (v->in_file && !*v->value) {
                remove_links(&s->network, (enum spec_link_type) v->field);
                return 0;
        }
        r = value_words(v->value, " \t", false, &words);
        if (r >= 0 && s->network.n_links + strv_length(words) > SPEC_LIST_MAX)
                r = -E2BIG;
        if (r < 0)
                return value_list_wrong(v, r, "names of interfaces");
        if (!words)
                return wrong_interface(v, v->value);
        for (size_t i = 0; words[i]; i++) /* all of them, before any of them counts */
                if ((r = parse_link(v, words[i], &link)) < 0)
                        return r;
        for (size_t i = 0; words[i]; i++) {
                struct spec_link *new = array_extend(&s->network.links, &s->network.n_links, sizeof(*new));

                if (!new)
                        return -ENOMEM;
                parse_link(v, words[i], new);
        }
        return 0;
}

static int parse_port_number(const char *s, uint16_t *ret) {
        uint32_t n;

        if (parse_u32(s, &n) < 0 || n == 0 || n > UINT16_MAX)
                return -EINVAL;
        *ret = (uint16_t) n;
        return 0;
}

/* [tcp:|udp:]HOST[:CONTAINER] */
static int parse_port(const char *text, struct spec_port *ret) {
        const char *udp = startswith(text, "udp:"), *tcp = startswith(text, "tcp:");
        AUTO(strv_freep) char **fields = NULL;
        struct spec_port port = { .udp = udp };
        int r;

        r = value_fields(udp ? udp : tcp ? tcp : text, &fields);
        if (r < 0)
                return r;
        if (strv_length(fields) > 2 || parse_port_number(fields[0], &port.host) < 0)
                return -EINVAL;
        port.container = port.host;
        if (fields[1] && parse_port_number(fields[1], &port.container) < 0)
                return -EINVAL;
        *ret = port;
        return 0;
}

int set_port(struct spec *s, const struct setting *v) {
        struct spec_network *n = &s->network;
        struct spec_port port, *new;
        int r;

        if (v->in_file && !*v->value) {
                n->n_ports = 0;
                return 0;
        }
        r = parse_port(v->value, &port);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return value_wrong(v, "must be [tcp:|udp:]PORT[:PORT], each from 1 to 65535.");
        for (size_t i = 0; i < n->n_ports; i++)
                if (n->ports[i].udp == port.udp && n->ports[i].host == port.host)
                        return value_wrong(v, "port %u of the host leads into the container already.", port.host);
        if (n->n_ports >= SPEC_LIST_MAX)
                return value_list_wrong(v, -E2BIG, NULL);
        new = array_extend(&n->ports, &n->n_ports, sizeof(*new));
        if (!new)
                return -ENOMEM;
        *new = port;
        return 0;
}
