// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Lets what one device receives come in by another, as if it had been received there: every rule
// and setting of that other device is met. What neighbours say to each other stays where it is,
// or their answers would leave by the other device. Linux 6.6 or newer (TCX).

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

#define BPF_MAP_TYPE_ARRAY 2
#define BPF_F_INGRESS 1
#define TC_ACT_UNSPEC (-1)
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ICMPV6 58
#define ROUTER_SOLICITATION 133
#define REDIRECT 137
#define ETHERNET 14
#define NEXT_HEADER (ETHERNET + 6)
#define TYPE (ETHERNET + 40)

// The beginning of the kernel's struct __sk_buff (include/uapi/linux/bpf.h).
struct __sk_buff {
	__u32 len, pkt_type, mark, queue_mapping, protocol;
};

struct {
	__u32 (*type)[BPF_MAP_TYPE_ARRAY];
	__u32 (*max_entries)[1];
	__u32 *key;
	__u32 *value;
} entrance SEC(".maps");

static int is_between_neighbours(struct __sk_buff *skb)
{
	__u8 next = 0, type = 0;

	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return 0;
	if (bpf_skb_load_bytes(skb, NEXT_HEADER, &next, 1) || next != ICMPV6)
		return 0;
	if (bpf_skb_load_bytes(skb, TYPE, &type, 1))
		return 0;
	return type >= ROUTER_SOLICITATION && type <= REDIRECT;
}

SEC("tc")
int enter(struct __sk_buff *skb)
{
	__u32 first = 0, *ifindex = bpf_map_lookup_elem(&entrance, &first);

	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_UNSPEC;
	if (!ifindex || !*ifindex || is_between_neighbours(skb))
		return TC_ACT_UNSPEC;
	return bpf_redirect(*ifindex, BPF_F_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
