// Package egress is the proxy through which a container reaches the names that its
// lane was granted, and nothing else. The container has no network device.
//
// A request passes these steps, and the first one that says no ends it:
//
//	CONNECT or http --target--> a host name and a port, never an address
//	                --names---> the lane's list has it
//	                --budget--> the lane run has connections and bytes left
//	                --dial----> the address that is connected to is public, or one that the policy names
//	                --hello---> on port 443: a TLS greeting for the same name
//	                --copy----> bytes in both directions, counted
//
// The name is resolved once, here, and the check is of the very address that the
// connection goes to: a name server that changes its response gains nothing by it.
package egress
