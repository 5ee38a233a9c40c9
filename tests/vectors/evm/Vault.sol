// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// What tests need of a contract: storage, events, errors, loops, children and the block's facts.
contract Vault {
    address public owner;
    mapping(bytes32 => uint256) public cells;

    event Stored(bytes32 indexed name, uint256 indexed value, address by);
    event Note(string text);

    error TooLarge(uint256 value);

    constructor() {
        owner = msg.sender;
        emit Note("made");
    }

    function store(bytes32 name, uint256 value) external {
        if (value > 1e18) revert TooLarge(value);
        cells[name] = value;
        emit Stored(name, value, msg.sender);
        emit Note("stored");
    }

    function storeThenRefuse(bytes32 name, uint256 value) external {
        cells[name] = value;
        emit Note("never seen");
        revert("refused");
    }

    function storeTwice(bytes32 name, uint256 first, uint256 second) external {
        cells[name] = first;
        try this.storeThenRefuse(name, second) {
            cells[name] = 0;
        } catch Error(string memory reason) {
            emit Note(reason);
        }
    }

    function whoCalls() external view returns (address sender, address origin) {
        return (msg.sender, tx.origin);
    }

    function facts()
        external
        view
        returns (uint256[9] memory, bytes32 parent)
    {
        return (
            [
                block.timestamp,
                block.number,
                block.chainid,
                block.gaslimit,
                block.basefee,
                block.prevrandao,
                uint256(uint160(address(block.coinbase))),
                tx.gasprice,
                address(this).balance
            ],
            blockhash(block.number - 1)
        );
    }

    function spin() external pure {
        while (true) {}
    }

    function fill(uint256 cellCount) external {
        for (uint256 i = 0; i < cellCount; i++) cells[bytes32(i)] = i + 1;
    }

    function recurse(uint256 depth) external returns (uint256) {
        if (depth == 0) return 0;
        return 1 + Vault(this).recurse(depth - 1);
    }

    function fail() external pure {
        assert(false);
    }

    function hatch() external returns (address child) {
        return address(new Mayfly(bytes32(0)));
    }

    function hatchAndBurn(bytes32 name) external returns (address child) {
        Mayfly mayfly = new Mayfly(name);
        mayfly.burn();
        return address(mayfly);
    }

    function burn() external {
        selfdestruct(payable(msg.sender));
    }

    function digest(uint160 precompile, bytes calldata data) external view returns (bytes memory) {
        (bool success, bytes memory result) = address(precompile).staticcall(data);
        require(success, "no such precompile");
        return result;
    }

    function remember(uint256 value) external returns (uint256 seen) {
        assembly {
            tstore(1, value)
            seen := tload(1)
        }
    }

    function remembered() external view returns (uint256 seen) {
        assembly {
            seen := tload(1)
        }
    }
}

contract Mayfly {
    mapping(bytes32 => uint256) public cells;

    constructor(bytes32 name) {
        cells[name] = 7;
    }

    function burn() external {
        selfdestruct(payable(msg.sender));
    }
}
