/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/images.h: OS trees and disk images where the stock tools look for them. */
#pragma once

#include "core/ports.h"

/* A few stat(2), no directory is read. */
struct image_port images_port(void);
