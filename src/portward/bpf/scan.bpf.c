// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The two halves of a TCP scan. ``transmit`` is run by BPF_PROG_TEST_RUN: it stamps host, port
// and cookie into a frame and clones it to the interface. ``receive`` sees what comes in, on TCX
// or as the filter of a packet socket: it compares the cookie of every answer and notes it in
// the table that user space maps. No packet ever reaches user space. Linux 5.17 or newer
// (bpf_loop), for TCX 6.6; nothing of the kernel's own types is read, so its BTF is not needed.

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_F_MMAPABLE (1U << 10)
#define BPF_HDR_START_NET 1
#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ICMP 1
#define TCP 6
#define ICMPV6 58
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

#define MAX_PORTS 65536
#define NO_COLUMN 0xffff
#define NO_TIME 0xffffffff
// Source ports: one for each of so many rounds, then one for each of so many canaries.
#define LANES 8
#define HANDSHAKES 1024
#define CANARIES 256
#define BATCH 64

enum { SILENT, OPEN, CLOSED, REFUSED };

// The beginning of struct __sk_buff (include/uapi/linux/bpf.h), up to what is used.
struct __sk_buff {
	__u32 len, pkt_type, mark, queue_mapping, protocol;
};

// table.py has the same layout.
struct probe {
	__u32 cookie;
	__u32 time;
	__u8 state, hops, kind, code, tries, unused[3];
	__u8 sender[16];
};

struct host {
	__u8 address[16];
	__u8 mac[6];
	__u16 unused;
};

struct handshake {
	__u32 number;
	__u32 own_port;
};

// engines/bpf.py has the same layout.
struct control {
	// Set by user space before each run.
	__u64 next, end, limit;
	__u64 count, factor, shift;
	__u64 canary_every, unused;
	__u32 ports, family, ifindex, first_port, tries, unused2;
	__u8 source[16];
	__u8 own_mac[8];
	// Counted here.
	__u64 sent, answered, opened, refused, canaries, returned, full, slowest, usual, bad;
	__u64 handshakes;
	struct handshake handshake[HANDSHAKES];
	__u64 found;
	__u32 canary[CANARIES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct probe);
} probes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct host);
} hosts SEC(".maps");

struct table {
	__u16 of[MAX_PORTS];
};

// Column -> port, and port -> column.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct table);
} columns SEC(".maps");

struct address {
	__u8 bytes[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct address);
	__type(value, __u32);
} numbers SEC(".maps");

struct ethernet {
	__u8 to[6], from[6];
	__be16 type;
} __attribute__((packed));

struct ipv4 {
	__u8 version, service;
	__be16 length, id, fragment;
	__u8 hops, protocol;
	__be16 sum;
	__u8 source[4], host[4];
} __attribute__((packed));

struct ipv6 {
	__be32 version;
	__be16 length;
	__u8 protocol, hops;
	__u8 source[16], host[16];
} __attribute__((packed));

struct tcp {
	__be16 from, to;
	__be32 number, acknowledged;
	__u8 length, flags;
	__be16 window, sum, urgent;
} __attribute__((packed));

struct frame4 {
	struct ethernet ethernet;
	struct ipv4 ip;
	struct tcp tcp;
	__u8 option[4];
} __attribute__((packed));

struct frame6 {
	struct ethernet ethernet;
	struct ipv6 ip;
	struct tcp tcp;
	__u8 option[4];
} __attribute__((packed));

#define MSS_OPTION 0x02, 0x04, 0x05, 0xb4
#define SEGMENT 24
#define WINDOW 1024

static __always_inline __u32 words(const __u8 *bytes, int size)
{
	__u32 sum = 0;

	for (int i = 0; i < size; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	return sum;
}

static __always_inline __be16 folded(__u32 sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return bpf_htons(~sum & 0xffff);
}

static __always_inline __u32 now(void)
{
	return bpf_ktime_get_ns() / 1000;
}

static __always_inline void fill_tcp(struct tcp *tcp, __u32 own_port, __u16 port,
				     __u32 cookie, __u32 sum)
{
	__builtin_memset(tcp, 0, sizeof(*tcp));
	tcp->from = bpf_htons(own_port);
	tcp->to = bpf_htons(port);
	tcp->number = bpf_htonl(cookie);
	tcp->length = (SEGMENT / 4) << 4;
	tcp->flags = SYN;
	tcp->window = bpf_htons(WINDOW);
	sum += own_port + port + (cookie >> 16) + (cookie & 0xffff);
	sum += ((SEGMENT / 4) << 12 | SYN) + WINDOW + 0x0204 + 0x05b4 + TCP + SEGMENT;
	tcp->sum = folded(sum);
}

// Send one probe; 0, or why it was not sent.
static __always_inline long emit(struct __sk_buff *skb, struct control *c, struct host *host,
				 __u16 port, __u32 cookie, __u32 own_port)
{
	if (c->family == ETH_P_IP) {
		struct frame4 frame = { .option = { MSS_OPTION } };

		__builtin_memcpy(frame.ethernet.to, host->mac, 6);
		__builtin_memcpy(frame.ethernet.from, c->own_mac, 6);
		frame.ethernet.type = bpf_htons(ETH_P_IP);
		frame.ip.version = 0x45;
		frame.ip.length = bpf_htons(sizeof(frame) - sizeof(frame.ethernet));
		frame.ip.fragment = bpf_htons(0x4000);
		frame.ip.hops = 64;
		frame.ip.protocol = TCP;
		__builtin_memcpy(frame.ip.source, c->source, 4);
		__builtin_memcpy(frame.ip.host, host->address, 4);
		__u32 sum = words(c->source, 4) + words(host->address, 4);

		frame.ip.sum = folded(sum + 0x4500 + sizeof(frame) - sizeof(frame.ethernet) +
				      0x4000 + (64 << 8 | TCP));
		fill_tcp(&frame.tcp, own_port, port, cookie, sum);
		bpf_skb_store_bytes((void *)skb, 0, &frame, sizeof(frame), 0);
	} else {
		struct frame6 frame = { .option = { MSS_OPTION } };

		__builtin_memcpy(frame.ethernet.to, host->mac, 6);
		__builtin_memcpy(frame.ethernet.from, c->own_mac, 6);
		frame.ethernet.type = bpf_htons(ETH_P_IPV6);
		frame.ip.version = bpf_htonl(6 << 28);
		frame.ip.length = bpf_htons(SEGMENT);
		frame.ip.protocol = TCP;
		frame.ip.hops = 64;
		__builtin_memcpy(frame.ip.source, c->source, 16);
		__builtin_memcpy(frame.ip.host, host->address, 16);
		fill_tcp(&frame.tcp, own_port, port, cookie,
			 words(c->source, 16) + words(host->address, 16));
		bpf_skb_store_bytes((void *)skb, 0, &frame, sizeof(frame), 0);
	}
	return bpf_clone_redirect((void *)skb, c->ifindex, 0);
}

static __always_inline long ask(struct __sk_buff *skb, struct control *c, __u32 number,
				__u32 own_port)
{
	__u32 index = number / c->ports, zero = 0;
	__u64 column = number % c->ports;
	struct probe *probe = bpf_map_lookup_elem(&probes, &number);
	struct host *host = bpf_map_lookup_elem(&hosts, &index);
	struct table *ports = bpf_map_lookup_elem(&columns, &zero);

	barrier_var(column);
	if (!probe || !host || !ports || column >= MAX_PORTS)
		return -1;
	if (own_port - c->first_port < LANES) {
		probe->tries = c->tries;
		probe->time = now();
	}
	return emit(skb, c, host, ports->of[column], probe->cookie, own_port);
}

// An open port once more, at random: as long as it answers, nothing is lost on the way. Sent at
// fixed times, say first in a burst, it would fare better than the probes that it speaks for.
static __always_inline void canary(struct __sk_buff *skb, struct control *c)
{
	__u64 found = c->found, at;
	__u32 turn = c->canaries;

	if (!found || !c->canary_every || bpf_get_prandom_u32() % (__u32)c->canary_every)
		return;
	if (found > CANARIES)
		found = CANARIES;
	at = turn % (__u32)found;
	barrier_var(at); // clang knows that it is less than CANARIES, the verifier does not
	if (at < CANARIES && !ask(skb, c, c->canary[at], c->first_port + LANES + turn % LANES))
		c->canaries++;
}

static long step(__u32 index, struct __sk_buff **context)
{
	struct __sk_buff *skb = *context;
	struct probe *probe;
	struct control *c;
	__u32 number, zero = 0;
	long problem;
	__u64 at;

	(void)index;
	c = bpf_map_lookup_elem(&control, &zero);
	if (!c || c->next >= c->end || c->sent >= c->limit)
		return 1;
	at = __sync_fetch_and_add(&c->next, 1);
	if (at >= c->end)
		return 1;
	number = (at * c->factor + c->shift) % c->count;
	probe = bpf_map_lookup_elem(&probes, &number);
	if (!probe)
		return 1;
	if (probe->state == SILENT) {
		canary(skb, c);
		problem = ask(skb, c, number, c->first_port + c->tries % LANES);
		if (problem > 0) { // the queue of the device is full; the next round asks this one
			c->full++;
			return 1;
		}
		if (!problem)
			__sync_fetch_and_add(&c->sent, 1);
	}
	return 0;
}

SEC("tc")
int transmit(struct __sk_buff *skb)
{
	bpf_loop(BATCH, step, &skb, 0);
	return 0;
}

struct answer {
	struct address host;
	__u8 sender[16];
	__u16 port, own_port;
	__u32 cookie;
	__u8 state, hops, kind, code;
};

static __always_inline int take_tcp(struct __sk_buff *skb, __u32 at, struct answer *answer)
{
	struct tcp tcp;

	if (bpf_skb_load_bytes_relative((void *)skb, at, &tcp, sizeof(tcp), BPF_HDR_START_NET))
		return 0;
	if (!(tcp.flags & ACK))
		return 0;
	if (tcp.flags & RST)
		answer->state = CLOSED;
	else if (tcp.flags & SYN)
		answer->state = OPEN;
	else
		return 0;
	if (answer->state == OPEN)
		answer->kind = !tcp.window || tcp.length >> 4 <= 5;
	answer->port = bpf_ntohs(tcp.from);
	answer->own_port = bpf_ntohs(tcp.to);
	answer->cookie = bpf_ntohl(tcp.acknowledged) - 1;
	return 1;
}

static __always_inline int take_quoted(struct __sk_buff *skb, __u32 at, struct answer *answer)
{
	struct {
		__be16 from, to;
		__be32 number;
	} tcp;

	if (bpf_skb_load_bytes_relative((void *)skb, at, &tcp, sizeof(tcp), BPF_HDR_START_NET))
		return 0;
	answer->state = REFUSED;
	answer->own_port = bpf_ntohs(tcp.from);
	answer->port = bpf_ntohs(tcp.to);
	answer->cookie = bpf_ntohl(tcp.number);
	return 1;
}

static __always_inline int take_ipv4(struct __sk_buff *skb, struct answer *answer)
{
	struct ipv4 ip, quoted;
	__u8 icmp[2];
	__u32 at;

	if (bpf_skb_load_bytes_relative((void *)skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
		return 0;
	at = (ip.version & 0xf) * 4;
	if (ip.version >> 4 != 4 || at < 20 || ip.fragment & bpf_htons(0x1fff))
		return 0;
	answer->hops = ip.hops;
	if (ip.protocol == TCP) {
		__builtin_memcpy(answer->host.bytes, ip.source, 4);
		return take_tcp(skb, at, answer);
	}
	if (ip.protocol != ICMP ||
	    bpf_skb_load_bytes_relative((void *)skb, at, icmp, 2, BPF_HDR_START_NET))
		return 0;
	if (icmp[0] != 11 && (icmp[0] != 3 || icmp[1] == 4))
		return 0;
	if (bpf_skb_load_bytes_relative((void *)skb, at + 8, &quoted, sizeof(quoted),
					BPF_HDR_START_NET))
		return 0;
	if (quoted.version >> 4 != 4 || (quoted.version & 0xf) < 5 || quoted.protocol != TCP)
		return 0;
	answer->kind = icmp[0];
	answer->code = icmp[1];
	__builtin_memcpy(answer->sender, ip.source, 4);
	__builtin_memcpy(answer->host.bytes, quoted.host, 4);
	return take_quoted(skb, at + 8 + (quoted.version & 0xf) * 4, answer);
}

static __always_inline int take_ipv6(struct __sk_buff *skb, struct answer *answer)
{
	struct ipv6 ip;
	__u8 icmp[2];

	if (bpf_skb_load_bytes_relative((void *)skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
		return 0;
	answer->hops = ip.hops;
	if (ip.protocol == TCP) {
		__builtin_memcpy(answer->host.bytes, ip.source, 16);
		return take_tcp(skb, 40, answer);
	}
	if (ip.protocol != ICMPV6 ||
	    bpf_skb_load_bytes_relative((void *)skb, 40, icmp, 2, BPF_HDR_START_NET))
		return 0;
	if (icmp[0] != 1 && icmp[0] != 3)
		return 0;
	__builtin_memcpy(answer->sender, ip.source, 16);
	if (bpf_skb_load_bytes_relative((void *)skb, 48, &ip, sizeof(ip), BPF_HDR_START_NET))
		return 0;
	if (bpf_ntohl(ip.version) >> 28 != 6 || ip.protocol != TCP)
		return 0;
	answer->kind = icmp[0];
	answer->code = icmp[1];
	__builtin_memcpy(answer->host.bytes, ip.host, 16);
	return take_quoted(skb, 88, answer);
}

// Note a handshake that user space has to end with a RST.
static __always_inline void half_open(struct control *c, __u32 number, __u32 own_port)
{
	__u64 at = __sync_fetch_and_add(&c->handshakes, 1) % HANDSHAKES;

	c->handshake[at].own_port = own_port;
	c->handshake[at].number = number;
}

// Returns whether it is the refusal of a probe, which the kernel would only throw away.
static __always_inline int take(struct __sk_buff *skb)
{
	__u32 zero = 0, one = 1, number, lane, *index, time;
	struct answer answer = {};
	struct control *c = bpf_map_lookup_elem(&control, &zero);
	struct table *column = bpf_map_lookup_elem(&columns, &one);
	struct probe *probe;
	__u8 before;

	if (!c || !column)
		return 0;
	if (c->family == ETH_P_IP ? !take_ipv4(skb, &answer) : !take_ipv6(skb, &answer))
		return 0;
	lane = answer.own_port - c->first_port;
	if (lane >= 2 * LANES)
		return 0;
	index = bpf_map_lookup_elem(&numbers, &answer.host);
	if (!index || column->of[answer.port] == NO_COLUMN)
		goto bad;
	number = *index * c->ports + column->of[answer.port];
	probe = bpf_map_lookup_elem(&probes, &number);
	if (!probe || probe->cookie != answer.cookie)
		goto bad;
	if (answer.state == OPEN)
		half_open(c, number, answer.own_port);
	if (lane >= LANES) {
		if (answer.state != REFUSED)
			__sync_fetch_and_add(&c->returned, 1);
		return answer.state == CLOSED;
	}
	before = probe->state;
	if (before != SILENT && (answer.state != OPEN || before == OPEN))
		return answer.state == CLOSED;
	time = NO_TIME;
	if (before == SILENT && lane == probe->tries % LANES) {
		time = now() - probe->time;
		if (time > c->slowest)
			c->slowest = time;
		c->usual = c->usual ? (7 * c->usual + time) / 8 : time;
	}
	probe->time = time;
	probe->hops = answer.hops;
	probe->kind = answer.kind;
	probe->code = answer.code;
	__builtin_memcpy(probe->sender, answer.sender, 16);
	probe->state = answer.state;
	if (answer.state == OPEN) {
		__sync_fetch_and_add(&c->opened, 1);
		__u64 at = __sync_fetch_and_add(&c->found, 1) % CANARIES;

		c->canary[at] = number;
	}
	if (before == SILENT) {
		if (answer.state == REFUSED)
			__sync_fetch_and_add(&c->refused, 1);
		else
			__sync_fetch_and_add(&c->answered, 1);
	} else if (before == REFUSED) {
		__sync_fetch_and_add(&c->refused, -1);
		__sync_fetch_and_add(&c->answered, 1);
	}
	return answer.state == CLOSED;
bad:
	__sync_fetch_and_add(&c->bad, 1);
	return 0;
}

// Spares the kernel the way of a refusal through its stack. It ends what is half open.
SEC("tc")
int receive(struct __sk_buff *skb)
{
	return take(skb) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

// Before TCX: nothing is queued for the socket.
SEC("socket")
int overhear(struct __sk_buff *skb)
{
	take(skb);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
