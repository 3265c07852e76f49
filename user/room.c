// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "room.h"

#define ROOM_LEAST 4 /* operations of an endpoint are few, and large */

static size_t room_for(size_t count)
{
	size_t room = ROOM_LEAST;

	if (count == 0)
		return 0;
	while (room < count)
		room *= 2;
	return room;
}

int gp_room_reserve(void *array, size_t count, size_t more, size_t size)
{
	void **place = array, *larger;

	if (room_for(count + more) == room_for(count))
		return 0;
	larger = reallocarray(*place, room_for(count + more), size);
	if (!larger)
		return -ENOMEM;
	*place = larger;
	return 0;
}
