// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface ServiceContract {
    function getAssetBalance(string memory account, string memory asset) external returns (string memory);
    function setAccountDetail(string memory account, string memory key, string memory value) external returns (bool);
}

/// Calls the service contract in every way that Solidity has.
contract Caller {
    address constant SERVICE = 0xA6Abc17819738299B3B2c1CE46d55c74f04E290C;

    event Called(bool success, bytes result);

    /// As Iroha's documentation shows it.
    function run(bytes memory payload) public returns (bytes memory) {
        (bool success, bytes memory result) = SERVICE.delegatecall(payload);
        require(success, "Error calling service contract function");
        emit Called(success, result);
        return result;
    }

    function runEach(bytes[] memory payloads) external {
        for (uint256 i = 0; i < payloads.length; i++) run(payloads[i]);
    }

    /// Goes on when the service refuses.
    function attempt(bytes memory payload) external returns (bool success, bytes memory result) {
        (success, result) = SERVICE.call(payload);
        emit Called(success, result);
    }

    function look(bytes memory payload) external view returns (bool success, bytes memory result) {
        (success, result) = SERVICE.staticcall(payload);
    }

    function runThenRefuse(bytes memory payload) external {
        run(payload);
        revert("changed my mind");
    }

    /// What the payload did is undone, and what the second did stays.
    function undo(bytes memory undone, bytes memory kept) external {
        try this.runThenRefuse(undone) {
            revert("not reached");
        } catch {
            run(kept);
        }
    }

    function typed(string memory account, string memory key, string memory value) external returns (bool) {
        return ServiceContract(SERVICE).setAccountDetail(account, key, value);
    }

    function serviceSize() external view returns (uint256 size, bytes32 hash) {
        return (SERVICE.code.length, SERVICE.codehash);
    }
}
