// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Which process holds which socket, and which task lives in which network namespace, read by
// the kernel itself in one pass over its own tables. Linux 5.11 or newer (bpf_sock_from_file).
//
// The programs are iterators: they run only while somebody reads their file, write fixed
// records, and change nothing. The kernel shows them the tasks of the reader's PID namespace.
//
// A step along a pointer is a BPF_CORE_READ: a direct one can cost the verifier a search of the
// kernel's whole BTF, about a millisecond of every load. The few that are taken for every open
// file are direct, which made a reading of 100,000 files a tenth quicker.
//
// The kernel's types are declared here with just the fields that are used; CO-RE finds the
// real offsets when the object is loaded.

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

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SS_UNCONNECTED 1
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define ANON_INODE_FS_MAGIC 0x09041934

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	__u16 skc_num;
	possible_net_t skc_net;
};

struct sk_filter;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	struct sk_filter *sk_filter;
};

typedef enum { SS_FREE = 0 } socket_state;

struct socket {
	socket_state state;
	struct sock *sk;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct vfsmount;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
};

struct nsproxy {
	struct net *net_ns;
};

struct upid {
	int nr;
	void *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct mm_struct {
	struct file *exe_file;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t euid;
};

struct task_struct {
	int pid;
	int tgid;
	__u64 start_boottime;
	struct pid *thread_pid;
	struct task_struct *group_leader;
	struct nsproxy *nsproxy;
	struct mm_struct *mm;
	const struct cred *real_cred;
	char comm[16];
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

// The number of a task in the PID namespace of the reader, which /proc knows it by.
static __always_inline __u32 number(struct task_struct *task)
{
	struct task_struct *reader = bpf_get_current_task_btf();
	__u32 level = BPF_CORE_READ(reader, thread_pid, level);
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 nr = 0;

	if (pid)
		bpf_probe_read_kernel(&nr, sizeof(nr),
				      (void *)__builtin_preserve_access_index(&pid->numbers) +
					      level * bpf_core_type_size(struct upid) +
					      bpf_core_field_offset(struct upid, nr));
	return nr;
}

// The socket if it takes packets nobody asked for.
static __always_inline struct sock *listener(struct socket *socket)
{
	struct sock *sk;
	__u16 family, type;
	unsigned char state;

	// Whatever has a peer is no listener; leave its cold struct sock alone.
	if (socket->state != SS_UNCONNECTED)
		return 0;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6 && family != AF_PACKET)
		return 0;
	type = BPF_CORE_READ(sk, sk_type);
	if (type == SOCK_RAW || family == AF_PACKET)
		return sk;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (type == SOCK_DGRAM)
		return state == TCP_CLOSE && BPF_CORE_READ(sk, __sk_common.skc_num) ? sk : 0;
	return state == TCP_LISTEN ? sk : 0;
}

// Whether a file is an io_uring: one registered with it needs no descriptor and outlives its own.
static __always_inline int is_ring(struct file *file)
{
	const char ring[] = "[io_uring]";
	char name[sizeof(ring)] = {};

	if (file->f_inode->i_sb->s_magic != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (unsigned int i = 0; i < sizeof(ring); i++)
		if (name[i] != ring[i])
			return 0;
	return 1;
}

struct holder {
	// What /proc/PROCESS/stat would say, and the owner of /proc/PROCESS.
	__u64 started;
	char name[16];
	__u32 uid;
	__u32 process;
	// Both are the same for all processes whose /proc/PROCESS/exe leads to the same path; 0
	// where it leads nowhere.
	__u64 mount;
	__u64 entry;
	// The descriptor, at /proc/PROCESS/task/THREAD/fd/DESCRIPTOR.
	__u32 thread;
	__u32 descriptor;
	// Of the listener; 0: it is an io_uring.
	__u32 inode;
	__u32 filtered;
	// The listener's network namespace if neither its holder nor the reader lives there.
	__u64 namespace;
};

// Every process that has a listener, or an io_uring, among its open files.
SEC("iter/task_file")
int holders(struct bpf_iter__task_file *context)
{
	struct file *file = context->file;
	struct task_struct *task = context->task;
	struct task_struct *reader = bpf_get_current_task_btf();
	struct holder holder = {};
	struct task_struct *leader;
	struct socket *socket;
	struct file *program;
	struct sock *sk;
	struct net *net;

	if (!file || !task)
		return 0;
	socket = (struct socket *)bpf_sock_from_file((void *)file);
	if (socket) {
		sk = listener(socket);
		if (!sk)
			return 0;
		holder.inode = BPF_CORE_READ(file, f_inode, i_ino);
		holder.filtered = BPF_CORE_READ(sk, sk_filter) != 0;
		net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
		if (net != BPF_CORE_READ(task, nsproxy, net_ns) &&
		    net != BPF_CORE_READ(reader, nsproxy, net_ns))
			holder.namespace = BPF_CORE_READ(net, ns.inum);
	} else if (!is_ring(file)) {
		return 0;
	}
	leader = BPF_CORE_READ(task, group_leader);
	holder.started = BPF_CORE_READ(leader, start_boottime);
	BPF_CORE_READ_STR_INTO(&holder.name, leader, comm);
	holder.uid = BPF_CORE_READ(leader, real_cred, euid.val);
	holder.process = number(leader);
	program = BPF_CORE_READ(leader, mm, exe_file);
	if (program) {
		holder.mount = (__u64)BPF_CORE_READ(program, f_path.mnt);
		holder.entry = (__u64)BPF_CORE_READ(program, f_path.dentry);
	}
	holder.thread = number(task);
	holder.descriptor = context->fd;
	bpf_seq_write((void *)context->meta->seq, &holder, sizeof(holder));
	return 0;
}

struct tenant {
	__u32 process;
	__u32 thread;
	__u32 namespace;
};

// Every task that lives in another network namespace than the reader.
SEC("iter/task")
int tenants(struct bpf_iter__task *context)
{
	struct task_struct *reader = bpf_get_current_task_btf();
	struct task_struct *task = context->task;
	struct tenant tenant = {};
	struct nsproxy *nsproxy;
	struct net *net;

	if (!task)
		return 0;
	nsproxy = BPF_CORE_READ(task, nsproxy);
	if (!nsproxy)
		return 0;
	net = BPF_CORE_READ(nsproxy, net_ns);
	if (net == BPF_CORE_READ(reader, nsproxy, net_ns))
		return 0;
	tenant.process = number(BPF_CORE_READ(task, group_leader));
	tenant.thread = number(task);
	tenant.namespace = BPF_CORE_READ(net, ns.inum);
	bpf_seq_write((void *)context->meta->seq, &tenant, sizeof(tenant));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
